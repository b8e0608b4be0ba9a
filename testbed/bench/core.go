package main

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"os/exec"
	"strconv"
	"strings"
)

// core runs the benchmarks of the core and takes over their figures.
func (b *bench) core(ctx context.Context) error {
	cmd := exec.CommandContext(ctx, "go", "test", "-run", "^$", "-bench", "^BenchmarkCore$", "-benchtime", "1s", "./correlate")
	out, err := cmd.CombinedOutput()
	if err != nil {
		return fmt.Errorf("%w:\n%s", err, out)
	}
	s := bufio.NewScanner(bytes.NewReader(out))
	for s.Scan() {
		name, rest, _ := strings.Cut(s.Text(), " ")
		name, ok := strings.CutPrefix(name, "BenchmarkCore/")
		if !ok {
			continue
		}
		if i := strings.LastIndexByte(name, '-'); i > 0 {
			name = name[:i] // the number of processors
		}
		words := strings.Fields(rest)
		for i := 1; i+1 < len(words); i += 2 {
			value, err := strconv.ParseFloat(words[i], 64)
			if err != nil {
				return fmt.Errorf("%q: %w", s.Text(), err)
			}
			f := figure{What: name, Value: value, Unit: words[i+1]}
			switch {
			case f.Unit == "ns/op":
				continue
			case strings.HasSuffix(name, "what=fold"):
				f.Goal = map[string]string{"best-ns/record": "≤ 450", "allocs/record": "≤ 1"}[f.Unit]
			}
			b.report.add(f)
		}
	}
	return s.Err()
}
