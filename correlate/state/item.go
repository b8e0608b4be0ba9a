package state

import (
	"dossier/correlate/event"
	"dossier/correlate/law"
)

// Command is an item of a list of commands.
type Command law.Item

// CommandOf returns i, an item of such a list, as a command.
func CommandOf(i *law.Item) *Command { return (*Command)(i) }

// Service is where the command was given, Decky on which decoy; Line is "" of
// what a shell told that was no command.
func (c *Command) Service() string { return c.A }
func (c *Command) Decky() string   { return c.B }
func (c *Command) Line() string    { return c.C }

// commandItem returns a command as an item.
func commandItem(at event.Time, service, decky, line string) law.Item {
	return law.Item{Time: at, A: service, B: decky, C: line}
}

// Hop is the first contact with a service of a decoy.
type Hop law.Item

// HopOf returns i, an item of a list of hops, as a hop.
func HopOf(i *law.Item) *Hop { return (*Hop)(i) }

// Decky, Service and Type are the decoy, the service and the event's type.
func (h *Hop) Decky() string   { return h.A }
func (h *Hop) Service() string { return h.B }
func (h *Hop) Type() string    { return h.C }
