// Package child runs another program as part of the house: it ends when the house
// ends, also by kill -9, and a Ctrl-C at the terminal reaches it only through us.
package child

import (
	"os/exec"
	"runtime"
	"syscall"
	"time"
)

// Process is a running child. Made by Start, ended by Stop.
type Process struct {
	cmd  *exec.Cmd
	done chan struct{}
}

// Start runs cmd. The kernel sends it farewell when our process dies.
func Start(cmd *exec.Cmd, farewell syscall.Signal) (*Process, error) {
	if cmd.SysProcAttr == nil {
		cmd.SysProcAttr = &syscall.SysProcAttr{}
	}
	cmd.SysProcAttr.Setpgid = true
	cmd.SysProcAttr.Pdeathsig = farewell
	p := &Process{cmd: cmd, done: make(chan struct{})}
	started := make(chan error)
	go func() {
		runtime.LockOSThread() // Pdeathsig fires when the thread that forked ends: it stays as long as the child
		defer close(p.done)
		err := cmd.Start()
		started <- err
		if err == nil {
			cmd.Wait()
		}
	}()
	return p, <-started
}

// Done is closed when the child has ended.
func (p *Process) Done() <-chan struct{} { return p.done }

// patience is how long each signal is given.
const patience = 10 * time.Second

// Stop sends the signals one after another until the child has ended; the last
// resort is SIGKILL.
func (p *Process) Stop(signals ...syscall.Signal) {
	for _, s := range append(signals, syscall.SIGKILL) {
		p.cmd.Process.Signal(s)
		select {
		case <-p.done:
			return
		case <-time.After(patience):
		}
	}
}
