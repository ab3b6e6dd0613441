package worker

import (
	"errors"
	"fmt"
	"unsafe"

	"golang.org/x/sys/unix"
)

// landlock is the version of the kernel's Landlock; 0 where it has none (before 5.13, or switched off).
func landlock() int {
	version, _, failed := unix.Syscall(unix.SYS_LANDLOCK_CREATE_RULESET, 0, 0, unix.LANDLOCK_CREATE_RULESET_VERSION)
	if failed != 0 {
		return 0
	}
	return int(version)
}

// confine leaves this thread, and what it starts, of the file system no more than the tool and the libraries, to read and to
// run, where the kernel has Landlock: a picture that takes OpenJPEG over finds neither keys nor data, and can't empty a file.
// Memory and pipes, of which the frame and the samples are, are not part of it.
func confine(tool string) error {
	version := landlock()
	if version == 0 {
		return nil
	}
	rules := unix.LandlockRulesetAttr{Handled_access_fs: unix.LANDLOCK_ACCESS_FS_MAKE_SYM<<1 - 1} // all that the first version knows
	if version >= 3 {
		rules.Handled_access_fs |= unix.LANDLOCK_ACCESS_FS_REFER | unix.LANDLOCK_ACCESS_FS_TRUNCATE
	}
	set, _, failed := unix.Syscall(unix.SYS_LANDLOCK_CREATE_RULESET, uintptr(unsafe.Pointer(&rules)), unsafe.Sizeof(rules.Handled_access_fs), 0)
	if failed != 0 {
		return fmt.Errorf("landlock: %w", failed)
	}
	defer unix.Close(int(set))
	const read, write, run = unix.LANDLOCK_ACCESS_FS_READ_FILE, unix.LANDLOCK_ACCESS_FS_WRITE_FILE, unix.LANDLOCK_ACCESS_FS_EXECUTE
	for path, may := range map[string]uint64{tool: run | read, "/usr": run | read, "/lib": run | read, "/lib64": run | read,
		"/etc/ld.so.cache": read, "/dev/null": read | write} {
		fd, err := unix.Open(path, unix.O_PATH|unix.O_CLOEXEC, 0)
		if errors.Is(err, unix.ENOENT) {
			continue
		} else if err != nil {
			return fmt.Errorf("%s: %w", path, err)
		}
		rule := unix.LandlockPathBeneathAttr{Allowed_access: may, Parent_fd: int32(fd)}
		_, _, failed := unix.Syscall6(unix.SYS_LANDLOCK_ADD_RULE, set, unix.LANDLOCK_RULE_PATH_BENEATH, uintptr(unsafe.Pointer(&rule)), 0, 0, 0)
		unix.Close(fd)
		if failed != 0 {
			return fmt.Errorf("%s: %w", path, failed)
		}
	}
	if err := unix.Prctl(unix.PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0); err != nil {
		return err
	}
	if _, _, failed := unix.Syscall(unix.SYS_LANDLOCK_RESTRICT_SELF, set, 0, 0); failed != 0 {
		return fmt.Errorf("landlock: %w", failed)
	}
	return nil
}
