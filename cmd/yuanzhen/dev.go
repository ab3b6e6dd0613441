package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
	"text/tabwriter"
	"time"

	"yuanzhen/cmd/yuanzhen/app"
	"yuanzhen/cmd/yuanzhen/demo"
)

// drain is how long running requests are given at the end.
const drain = 10 * time.Second

type devCmd struct {
	app.Options `embed:""`
	ReadyFile   string `placeholder:"FILE" help:"Write the base address here when ready."`
}

// Run brings up the platform with its demo cast and serves until Ctrl-C.
func (c *devCmd) Run(ctx context.Context) error {
	c.Demo, c.Version, c.Out = true, version, os.Stdout
	return serve(ctx, &c.Options, c.ReadyFile, func(a *app.App) error { return c.screen(ctx, a) })
}

type serveCmd struct {
	app.Options `embed:""`
	ReadyFile   string `placeholder:"FILE" help:"Write the base address here when ready."`
}

// Run serves in production mode.
func (c *serveCmd) Run(ctx context.Context) error {
	c.Version, c.Out = version, os.Stdout
	return serve(ctx, &c.Options, c.ReadyFile, func(a *app.App) error {
		_, err := fmt.Println("远诊 Yuanzhen serves at", a.Addr())
		return err
	})
}

func serve(ctx context.Context, o *app.Options, readyFile string, announce func(*app.App) error) error {
	a, err := app.New(ctx, o)
	if err != nil {
		return err
	}
	err = a.Start(ctx)
	if err == nil {
		err = announce(a)
	}
	if err == nil && readyFile != "" {
		err = os.WriteFile(readyFile, []byte(a.Addr()+"\n"), 0o644)
	}
	if err == nil {
		<-ctx.Done()
		fmt.Println("\n正在停止 stopping …")
	}
	end, cancel := context.WithTimeout(context.WithoutCancel(ctx), drain)
	defer cancel()
	return errors.Join(err, a.Stop(end))
}

// screen is the one screen of the first start.
func (c *devCmd) screen(ctx context.Context, a *app.App) error {
	people, err := a.Cast(ctx)
	if err != nil {
		return err
	}
	database, store, bus := a.Engines()
	line := strings.Repeat("─", 100)
	fmt.Printf("\n%s\n  远诊 Yuanzhen %s   演示 DEMO: invented people, simulated SMS and real-name check\n\n", line, version)
	fmt.Printf("  患者 patients   %s/\n  医护 staff      %s/staff\n  验处方 verify   %s/verify\n\n", a.Addr(), a.Addr(), a.Addr())
	table := tabwriter.NewWriter(os.Stdout, 0, 0, 2, ' ', 0)
	for _, p := range people {
		how := "手机 phone " + p.SignIn.Phone
		if p.SignIn.Login != "" {
			how = "账号 login " + p.SignIn.Login
		}
		fmt.Fprintf(table, "  %s\t%s\t%s\t%s\n", p.Name, p.Role, how, p.Story)
	}
	table.Flush()
	fmt.Printf(`
  患者登录: 填手机号, 验证码显示在页面上的"模拟短信"里    patients: the code shows in the simulated inbox on the page
  医护登录: 密码 %s, 动态码在登录页的演示栏里      staff: password as shown, the one-time code shows on the sign-in page
  签名口令 signing passphrase: %s

  数据 data      %s (永不删除 never deleted)
  数据库 database %s   影像存储 store %s   总线 bus %s
  停止 stop      Ctrl-C
%s
`, demo.Password, demo.Passphrase, c.Data, database, store, bus, line)
	return nil
}

type seedCmd struct {
	app.Options `embed:""`
}

// Run seeds and leaves.
func (c *seedCmd) Run(ctx context.Context) error {
	c.Demo, c.Version, c.Out = true, version, os.Stdout
	c.Listen = "127.0.0.1:0"
	a, err := app.New(ctx, &c.Options)
	if err != nil {
		return err
	}
	return a.Stop(ctx)
}
