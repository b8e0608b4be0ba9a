// Command packages makes the .deb and the .rpm of what make install put in
// place. It takes the metadata from packaging/nfpm.yaml, and the rest from the
// flags alone, so that it makes the same bytes of the same files.
package main

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"time"
)

func main() {
	var p packages
	var epoch int64
	var out string
	source := flag.String("source", "..", "The sources' folder; all other paths begin there")
	flag.StringVar(&p.staged, "staged", "build/package/root", "What make install put in place, with this as its DESTDIR")
	flag.StringVar(&out, "out", "build/package", "The folder for the packages")
	flag.StringVar(&p.version, "version", "", "The version, as git describe --tags --always --dirty tells it")
	flag.StringVar(&p.maintainer, "maintainer", "", "Who made the packages: NAME <ADDRESS>")
	flag.Int64Var(&epoch, "epoch", 0, "The time of all files, in seconds since 1970")
	flag.Parse()
	p.time = time.Unix(epoch, 0).UTC()
	err := os.Chdir(*source)
	if err == nil {
		err = p.write(filepath.Clean(out))
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "packages:", err)
		os.Exit(1)
	}
}
