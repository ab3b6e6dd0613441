package imaging

import (
	"strings"
	"unicode"

	"github.com/mozillazg/go-pinyin"
)

// families are characters that sound otherwise as a family name than the dictionary's first reading.
var families = map[rune]string{'单': "shan", '曾': "zeng", '仇': "qiu", '解': "xie", '查': "zha", '朴': "piao", '区': "ou", '盖': "ge", '任': "ren",
	'华': "hua", '尉': "wei", '乐': "yue", '洗': "xian", '冼': "xian", '翟': "zhai", '召': "shao", '缪': "miao", '贾': "jia", '褚': "chu", '重': "chong", '秘': "bi", '繁': "po", '员': "yun"}

// pinyinOf is the sound of the first group of a name that is written in Chinese characters: "王^小东" is "wangxiaodong".
// Without such a group it is "".
func pinyinOf(name string) string {
	how := pinyin.NewArgs()
	for group := range strings.SplitSeq(name, "=") {
		first, found := true, false
		var b strings.Builder
		for _, r := range group {
			sound := ""
			if unicode.Is(unicode.Han, r) {
				if sound = families[r]; !first || sound == "" {
					if all := pinyin.SinglePinyin(r, how); len(all) > 0 {
						sound = all[0]
					}
				}
				found = found || sound != ""
				first = false
			} else if r < unicode.MaxASCII && unicode.IsLetter(r) {
				sound = string(unicode.ToLower(r))
			}
			b.WriteString(sound)
		}
		if found {
			return b.String()
		}
	}
	return ""
}

// sounds is a name as it is searched for, as pinyinOf writes names: letters and wildcards, "" when it holds anything
// that no pinyin has.
func sounds(pattern string) string {
	var b strings.Builder
	for _, r := range strings.ToLower(pattern) {
		switch {
		case r >= 'a' && r <= 'z', r == '*', r == '?':
			b.WriteRune(r)
		case r == 'ü':
			b.WriteRune('v')
		case r == '^', r == ' ', r == ',', r == '\'', r == '-':
		default:
			return ""
		}
	}
	return b.String()
}
