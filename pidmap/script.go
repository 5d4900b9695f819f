package pidmap

import (
	"path"
	"slices"
	"strings"
)

// interpreter says how a program that runs other people's programs is told which one.
type interpreter struct {
	inline []string // options after which there is no script: the program is in the arguments
	module []string // options whose value names the program instead of a file
	values []string // options whose value is the next argument
	skip   []string // words before the script
}

// interpreterOf knows interpreters by their base name without a version. The options are those of python3
// --help, node --help and so on.
func interpreterOf(stem string) (in interpreter, ok bool) {
	switch stem {
	case "python", "pypy":
		in.inline, in.module = []string{"-c"}, []string{"-m"}
		in.values = []string{"-W", "-X", "--check-hash-based-pycs"}
	case "node", "nodejs":
		in.inline = []string{"-e", "--eval", "-p", "--print", "-pe"}
		in.values = []string{"-r", "--require", "--import", "--loader", "--experimental-loader", "-C", "--conditions"}
	case "ruby":
		in.inline, in.values = []string{"-e"}, []string{"-I", "-r", "-C", "-E"}
	case "perl":
		in.inline, in.values = []string{"-e", "-E"}, []string{"-I"}
	case "php":
		in.inline, in.module = []string{"-r", "-B", "-R"}, []string{"-f"}
		in.values = []string{"-c", "-d", "-z"}
	case "bash", "sh", "dash", "zsh", "ksh":
		in.inline, in.values = []string{"-c"}, []string{"-o", "+o", "-O", "+O", "--rcfile", "--init-file"}
	case "java":
		in.module = []string{"-jar"}
		in.values = []string{"-cp", "-classpath", "--class-path", "-p", "--module-path", "--add-modules"}
	case "deno":
		in.inline, in.skip = []string{"eval", "repl"}, []string{"run", "serve", "test"}
		in.values = []string{"-c", "--config", "--import-map"}
	case "bun", "tsx", "ts-node":
		in.inline, in.skip, in.values = []string{"-e", "--eval", "-p"}, []string{"run"}, []string{"--cwd", "-r", "--preload"}
	case "mono", "mono-sgen":
		in.values = []string{"--config"}
	case "dotnet":
		in.skip, in.values = []string{"exec"}, []string{"--runtimeconfig", "--depsfile", "--additionalprobingpath", "--fx-version"}
	case "lua", "luajit":
		in.inline, in.values = []string{"-e"}, []string{"-l"}
	case "Rscript", "tclsh", "wish", "guile", "gjs", "gjs-console", "electron", "escript":
		in.inline = []string{"-e", "-c"}
	default:
		return in, false
	}
	return in, true
}

// script is what an interpreter runs.
type script struct{ id, name, path, why string }

// scriptOf finds the script in the command line of an interpreter. A relative path stays relative: the working
// directory that it was meant for is not known.
func scriptOf(exe string, cmdline []string) (script, bool) {
	stem := strings.TrimRight(exe, "0123456789.-")
	in, ok := interpreterOf(stem)
	if !ok || len(cmdline) < 2 {
		return script{}, false
	}
	return in.script(stem, cmdline[1:])
}

func (in interpreter) script(stem string, args []string) (script, bool) {
	for i := 0; i < len(args); i++ {
		arg := args[i]
		switch {
		case slices.Contains(in.module, arg):
			if i+1 == len(args) || args[i+1] == "" {
				return script{}, false
			}
			return namedScript(stem, arg, args[i+1]), true
		case len(arg) > 2 && strings.HasPrefix(arg, "-m") && slices.Contains(in.module, "-m"):
			return namedScript(stem, "-m", arg[2:]), true
		case in.isInline(arg):
			return script{}, false
		case slices.Contains(in.values, arg):
			i++
		case slices.Contains(in.skip, arg):
		case arg == "--" && i+1 < len(args) && args[i+1] != "":
			return fileScript(stem, args[i+1]), true
		case arg == "" || arg == "-" || arg == "--":
			return script{}, false // the program comes from standard input
		case arg[0] != '-' && arg[0] != '+':
			// java without -jar runs a class, which is no file of its own.
			return fileScript(stem, arg), stem != "java"
		}
	}
	return script{}, false
}

// isInline also knows options run together, such as sh -ec or perl -we, where every one is one letter.
func (in interpreter) isInline(arg string) bool {
	if slices.Contains(in.inline, arg) {
		return true
	}
	if len(arg) < 3 || arg[0] != '-' || arg[1] == '-' {
		return false
	}
	return slices.ContainsFunc(in.inline, func(option string) bool { return len(option) == 2 && arg[len(arg)-1] == option[1] })
}

func fileScript(stem, file string) script {
	return script{id: file, name: scriptName(file), path: file, why: "script run by " + stem}
}

// scriptName is a file's name, or that of the directory where files of that name are all over.
func scriptName(file string) string {
	base := path.Base(file)
	switch base {
	case "app.asar", "app.asar.unpacked", "resources", "__main__.py", "index.js", "main.js", "server.js", "cli.js", "manage.py", "app.py", "main.py":
	default:
		return base
	}
	for dir := path.Dir(file); dir != "." && dir != "/"; dir = path.Dir(dir) {
		switch name := path.Base(dir); name {
		case "resources", "dist", "build", "bin", "src", "lib", "app", "..":
		default:
			if strings.HasPrefix(base, "app.asar") || base == "resources" {
				return name // all of an Electron app
			}
			return name + "/" + base
		}
	}
	return base
}

// namedScript is a module (python -m) or a file behind an option (java -jar).
func namedScript(stem, option, name string) script {
	s := script{id: option + " " + name, name: name, why: "program given to " + stem + " by " + option}
	if option != "-m" {
		s.id, s.name, s.path = name, path.Base(name), name
	}
	return s
}
