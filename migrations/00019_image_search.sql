-- Names in Chinese script are found by their sound too: 王^小东 by "wangxiaodong" and "wang*".

ALTER TABLE study ADD patient_pinyin text NOT NULL DEFAULT ''; -- lower case, without tones and marks; '' for names without Chinese characters
CREATE INDEX study_pinyin ON study (patient_pinyin text_pattern_ops) WHERE patient_pinyin <> '';
CREATE INDEX study_name_phonetic ON study (lower(split_part(patient_name, '=', 3)) text_pattern_ops);

---- create above / drop below ----

DROP INDEX study_name_phonetic;
ALTER TABLE study DROP patient_pinyin;
