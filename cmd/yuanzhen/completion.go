package main

import (
	"fmt"
	"strings"

	"github.com/alecthomas/kong"
)

type completionCmd struct {
	Shell string `arg:"" enum:"bash,zsh,fish" help:"bash, zsh or fish."`
}

// Run prints a script that completes subcommands and flags from the same table that
// the program parses with.
func (c *completionCmd) Run(parser *kong.Kong) error {
	words := map[string][]string{} // path of subcommands → what may follow
	var walk func(node *kong.Node, path string)
	walk = func(node *kong.Node, path string) {
		for _, f := range node.AllFlags(true) {
			for _, flag := range f {
				words[path] = append(words[path], "--"+flag.Name)
			}
		}
		for _, child := range node.Children {
			words[path] = append(words[path], child.Name)
			walk(child, strings.TrimSpace(path+" "+child.Name))
		}
	}
	walk(parser.Model.Node, "")
	switch c.Shell {
	case "fish":
		for path, list := range words {
			seen := "__fish_use_subcommand"
			if path != "" {
				seen = "__fish_seen_subcommand_from " + path[strings.LastIndex(path, " ")+1:]
			}
			fmt.Printf("complete -c yuanzhen -f -n '%s' -a '%s'\n", seen, strings.Join(list, " "))
		}
		return nil
	case "zsh":
		fmt.Println("autoload -U +X bashcompinit && bashcompinit")
	}
	fmt.Println(`_yuanzhen() {
  local path="" i
  for ((i = 1; i < COMP_CWORD; i++)); do [[ ${COMP_WORDS[i]} == -* ]] || path="${path:+$path }${COMP_WORDS[i]}"; done
  local words=""
  case "$path" in`)
	for path, list := range words {
		fmt.Printf("    %q) words=%q ;;\n", path, strings.Join(list, " "))
	}
	fmt.Println(`  esac
  COMPREPLY=($(compgen -W "$words" -- "${COMP_WORDS[COMP_CWORD]}"))
}
complete -F _yuanzhen yuanzhen`)
	return nil
}
