package schedule

import (
	"fmt"
	"time"
)

var weekdays = [...]string{"日", "一", "二", "三", "四", "五", "六"}

// Moment writes an instant as messages and papers say it, by the clock of the place: 11月22日 星期日 09:20. The pages write the same
// (web/src/i18n/format.ts); testdata/moments.json holds both to it.
func Moment(at time.Time, zone *time.Location) string {
	t := at.In(zone)
	return fmt.Sprintf("%d月%d日 星期%s %s", t.Month(), t.Day(), weekdays[t.Weekday()], t.Format("15:04"))
}
