package main

import (
	"errors"
	"fmt"
	"os"
	"strings"

	"github.com/spf13/cobra"

	"dossier/plugin/options"
)

// sources adds to an error about options where each of them came from: a
// password that the environment of another day still holds shows nowhere else.
func sources(c *cobra.Command, err error) error {
	fault, ok := errors.AsType[*options.Fault](err)
	if !ok {
		return err
	}
	var from []string
	for _, key := range fault.Keys {
		switch {
		case isFlag(c, key):
			from = append(from, key+" is from --"+flagName(key))
		case os.Getenv(envName(key)) != "":
			from = append(from, key+" is from the environment, "+envName(key))
		case value(c, key) != "":
			from = append(from, key+" is from "+oneLine(configOf(c).get(key).Place.String()))
		}
	}
	if len(from) == 0 {
		return err
	}
	return fmt.Errorf("%w; %s", err, strings.Join(from, ", "))
}
