// Command esnode runs a real Elasticsearch on loopback for the demo and for
// work at the desk.
//
//	esnode up   [-name demo] [-port N] [-heap 1g]   start it, or find it running; prints its URL
//	esnode down [-name demo] [-purge]               stop it; its data stays unless -purge
//	esnode url  [-name demo]                        print the URL of the running node
//	esnode names                                    list what stands on the node of ELASTICSEARCH_URL
//	esnode fetch                                    bring Elasticsearch to this machine and do no more
//
// ELASTICSEARCH_URL names a node of your own; then up and url print it.
package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"syscall"
	"time"

	"dossier/testbed/esnode"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := run(ctx, os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func run(ctx context.Context, args []string) error {
	if len(args) == 0 {
		return fmt.Errorf("usage: esnode up|down|url|names|fetch [options]")
	}
	verb := args[0]
	flags := flag.NewFlagSet("esnode "+verb, flag.ContinueOnError)
	name := flags.String("name", "demo", "the node's name")
	port := flags.Int("port", 0, "HTTP port on 127.0.0.1 (a free one)")
	heap := flags.String("heap", "512m", "Java heap")
	purge := flags.Bool("purge", false, "with down: remove the data too")
	if err := flags.Parse(args[1:]); err != nil {
		return err
	}
	switch verb {
	case "up":
		start := time.Now()
		fmt.Fprintln(os.Stderr, "esnode: starting Elasticsearch (about 15 s) ...")
		n, err := esnode.Open(ctx, esnode.Options{Name: *name, Port: *port, Heap: *heap})
		if err != nil {
			return err
		}
		fmt.Fprintf(os.Stderr, "esnode: ready after %.0f s\n", time.Since(start).Seconds())
		fmt.Println(n.URL)
		return nil
	case "down":
		return down(ctx, *name, *purge)
	case "url":
		if url := os.Getenv("ELASTICSEARCH_URL"); url != "" {
			fmt.Println(url)
			return nil
		}
		n, err := esnode.Find(*name)
		if err != nil {
			return err
		}
		fmt.Println(n.URL)
		return nil
	case "names":
		if os.Getenv("ELASTICSEARCH_URL") == "" {
			return fmt.Errorf("esnode: ELASTICSEARCH_URL names no node to list")
		}
		n, err := esnode.Open(ctx, esnode.Options{})
		if err != nil {
			return err
		}
		names, err := n.Names(ctx)
		for _, name := range names {
			fmt.Println(name)
		}
		return err
	case "fetch":
		return esnode.Fetch(ctx)
	default:
		return fmt.Errorf("esnode: unknown verb %q: use up, down, url, names or fetch", verb)
	}
}

func down(ctx context.Context, name string, purge bool) error {
	n, err := esnode.Find(name)
	if err != nil {
		return err
	}
	if err := n.Stop(ctx); err != nil {
		return err
	}
	if purge {
		return n.Purge()
	}
	return n.Close()
}
