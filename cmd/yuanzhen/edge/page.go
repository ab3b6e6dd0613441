package edge

import (
	"encoding/json"
	"html/template"
	"net/http"
	"time"
)

// pages shows how the agent stands: a page that renews itself, and the same as JSON for a monitor.
func (a *agent) pages() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /state.json", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		json.NewEncoder(w).Encode(a.State())
	})
	mux.HandleFunc("GET /{$}", func(w http.ResponseWriter, _ *http.Request) {
		h := w.Header()
		h.Set("Content-Type", "text/html; charset=utf-8")
		h.Set("Content-Security-Policy", "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'")
		page.Execute(w, struct {
			State
			Cmd
			MB float64
		}{a.State(), a.Cmd, float64(a.State().Bytes) / 1e6})
	})
	return mux
}

var page = template.Must(template.New("page").Funcs(template.FuncMap{
	"at": func(t time.Time) string {
		if t.IsZero() {
			return "—"
		}
		return t.Format("2006-01-02 15:04:05")
	},
}).Parse(`<!doctype html><html lang="zh-CN"><head><meta charset="utf-8"><meta http-equiv="refresh" content="5">
<meta name="viewport" content="width=device-width, initial-scale=1"><title>远诊前置机 · Yuanzhen edge</title>
<style>body{font:16px/1.6 -apple-system,"Segoe UI","PingFang SC","Noto Sans CJK SC","Microsoft YaHei",sans-serif;max-width:640px;margin:24px auto;padding:0 16px;color:#14202B}
h1{font-size:22px}dl{display:grid;grid-template-columns:max-content 1fr;gap:4px 16px}dd{margin:0;font-variant-numeric:tabular-nums;overflow-wrap:anywhere}
.ok{color:#08552F}.warn{color:#6B4300}.bad{color:#9B1116}p.state{font-size:18px;font-weight:600}</style></head><body><main>
<h1>远诊前置机 <span lang="en">Yuanzhen edge agent</span></h1>
{{if not .Receiving}}<p class="state bad">✕ 没有在接收影像 · <span lang="en">not receiving</span></p>
{{else if .LastError}}<p class="state warn">! 传不上去，影像都在本机，会自己再传 · <span lang="en">not sending; images are kept here and sent later</span></p>
{{else if .Resting}}<p class="state ok">✓ 正在接收；到 {{.Hours}} 再传 · <span lang="en">receiving; sends {{.Hours}}</span></p>
{{else}}<p class="state ok">✓ 一切正常 · <span lang="en">all is well</span></p>{{end}}
<dl>
<dt>等着传 <span lang="en">waiting</span></dt><dd>{{.Queued}} 张 · {{printf "%.1f" .MB}} MB{{if .Queued}}，最早 {{at .HoldsSince}}{{end}}</dd>
<dt>已传 <span lang="en">sent</span></dt><dd>{{.Sent}} 张（自 {{at .Since}}），最近 {{at .LastSent}}</dd>
<dt>没收完 <span lang="en">unfinished</span></dt><dd>{{.Unfinished}}{{if .Unfinished}} <span class="warn">还没收到结尾；10 分钟仍读不出就列入被退回，写明原因 · <span lang="en">not read to the end yet; after 10 minutes without a change listed as refused, with the reason</span></span>{{end}}</dd>
<dt>被退回 <span lang="en">refused</span></dt><dd>{{.Refused}}{{if .Refused}} <span class="warn">原因在 {{.Data}}/refused · <span lang="en">reasons in {{.Data}}/refused</span></span>{{if .Refusal}}<br>最近 <span lang="en">last</span>: {{.Refusal}}{{end}}{{end}}</dd>
<dt>接收 <span lang="en">C-STORE</span></dt><dd>{{.AET}} · {{.DICOM}}</dd>
<dt>速度上限 <span lang="en">at most</span></dt><dd>{{if .Rate}}{{.Rate}} kbit/s{{else}}不限 <span lang="en">no limit</span>{{end}}</dd>
<dt>平台 <span lang="en">platform</span></dt><dd>{{.URL}}</dd>
{{if .LastError}}<dt>最近的问题 <span lang="en">last trouble</span></dt><dd>{{.LastError}}</dd>{{end}}
</dl></main></body></html>`))
