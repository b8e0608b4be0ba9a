package main

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/spf13/cobra"
)

func addYes(c *cobra.Command, yes *bool) {
	c.Flags().BoolVarP(yes, "yes", "y", false, "Don't ask")
}

// sure asks whether something that can't be taken back is to be done, unless yes says
// so already. It returns an error where it is not.
func sure(c *cobra.Command, yes bool, question string) error {
	if yes {
		return nil
	}
	fmt.Fprintf(c.ErrOrStderr(), "%s It can't be taken back. Type yes to go on: ", question)
	answer, err := bufio.NewReader(io.LimitReader(c.InOrStdin(), 100)).ReadString('\n')
	switch {
	case strings.EqualFold(strings.TrimSpace(answer), "yes"):
		return nil
	case err != nil && answer == "":
		fmt.Fprintln(c.ErrOrStderr())
		return errors.New("nobody answered, and nothing was done; give --yes where nobody is there to ask")
	}
	return errors.New("nothing was done: the answer was not yes")
}
