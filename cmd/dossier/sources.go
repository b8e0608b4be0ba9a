package main

import (
	"errors"
	"fmt"
	"os"
	"strings"

	"dossier/plugin/options"
)

// sources adds to an error about options where each of them came from: a
// password that the environment of another day still holds shows nowhere else.
// fromFlag says whether the option was given as a flag.
func sources(err error, fromFlag func(key string) bool) error {
	fault, ok := errors.AsType[*options.Fault](err)
	if !ok {
		return err
	}
	var from []string
	for _, key := range fault.Keys {
		switch {
		case fromFlag(key):
			from = append(from, key+" is from --"+flagName(key))
		case os.Getenv(envName(key)) != "":
			from = append(from, key+" is from the environment, "+envName(key))
		}
	}
	if len(from) == 0 {
		return err
	}
	return fmt.Errorf("%w; %s", err, strings.Join(from, ", "))
}
