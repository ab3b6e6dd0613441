// Command pinyin writes prescribe/formulary/data/pinyin.csv: for each syllable the characters that are read so, of GB 2312
// and of the formulary's own names. The readings are those of Unicode's Unihan as github.com/mozillazg/go-pinyin (MIT)
// keeps them. Run it in tools/: go run ./pinyin ../prescribe/formulary/data
package main

import (
	"encoding/csv"
	"log"
	"maps"
	"os"
	"path/filepath"
	"slices"

	"github.com/mozillazg/go-pinyin"
	"golang.org/x/text/encoding/simplifiedchinese"
)

func main() {
	folder := os.Args[1]
	wanted := map[rune]bool{}
	for _, table := range []string{"ingredients", "combinations", "trade_names"} {
		raw, err := os.ReadFile(filepath.Join(folder, table+".csv"))
		if err != nil {
			log.Fatal(err)
		}
		for _, r := range string(raw) {
			wanted[r] = true
		}
	}
	args := pinyin.NewArgs() // letters without tones, ü as v
	args.Heteronym = true
	read := map[string][]rune{}
	for r := rune(0x3400); r <= 0x9fff; r++ {
		if _, err := simplifiedchinese.HZGB2312.NewEncoder().String(string(r)); err != nil && !wanted[r] {
			continue
		}
		for _, syllable := range slices.Compact(slices.Sorted(slices.Values(pinyin.SinglePinyin(r, args)))) {
			read[syllable] = append(read[syllable], r)
		}
	}
	out := csv.NewWriter(os.Stdout)
	if err := out.Write([]string{"reading", "characters", "src"}); err != nil {
		log.Fatal(err)
	}
	for _, syllable := range slices.Sorted(maps.Keys(read)) {
		if err := out.Write([]string{syllable, string(read[syllable]), "S_PINYIN"}); err != nil {
			log.Fatal(err)
		}
	}
	out.Flush()
	if out.Error() != nil {
		log.Fatal(out.Error())
	}
}
