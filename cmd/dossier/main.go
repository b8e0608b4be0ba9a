// Command dossier sets up, checks, prunes and repairs the indices that the
// Fluent Bit output dossier writes.
package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"syscall"

	"dossier/analyst"
)

// version is set by the linker.
var version = "dev"

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	os.Exit(run(ctx, os.Args[1:]))
}

// couldNotCheck is the status of dossier check where it could not begin: 1
// and 2 say what it found.
const couldNotCheck = 3

// unknown is the status where there is no profile of the address.
const unknown = 4

// exit ends the command with a status and without a message.
type exit int

func (e exit) Error() string { return fmt.Sprintf("exit status %d", int(e)) }

func run(ctx context.Context, args []string) int {
	root := newRoot()
	root.SetArgs(longFlags(args))
	c, err := root.ExecuteContextC(ctx)
	if status, ok := errors.AsType[exit](err); ok {
		return int(status)
	}
	if err != nil {
		fmt.Fprintln(root.ErrOrStderr(), "dossier:", message(err))
		if c.Name() == "check" {
			return couldNotCheck
		}
		if errors.Is(err, analyst.ErrUnknown) {
			return unknown
		}
		return 1
	}
	return 0
}
