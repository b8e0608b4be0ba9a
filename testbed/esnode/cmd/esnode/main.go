// Command esnode runs a real Elasticsearch or OpenSearch on loopback for the
// demo and for work at the desk; esnode help says how.
package main

import (
	"context"
	"crypto/rand"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"syscall"
	"time"

	"dossier/testbed/esnode"
)

const usage = `esnode up   [-name demo] [-port N] [-heap 1g]   start it, or find it running; prints its URL
esnode up   -secured [-name secured] ...        the same with TLS and users; prints the variables of
                                                the command dossier for the user elastic, for eval "$(...)"
esnode down [-name demo] [-purge]               stop it; its data stays unless -purge
esnode url  [-name demo]                        print the URL of the running node
esnode names                                    list what stands on the node of ELASTICSEARCH_URL
esnode fetch                                    bring the server to this machine and do no more
esnode servers                                  list the names for -server

-server NAME, or DOSSIER_SERVER, says which server: 8.19 where nothing does, opensearch for OpenSearch 2.19.
ELASTICSEARCH_URL names a node of your own; then up and url print it.`

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	err := run(ctx, os.Args[1:])
	if errors.Is(err, flag.ErrHelp) {
		return
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func run(ctx context.Context, args []string) error {
	if len(args) == 0 {
		return errors.New(usage)
	}
	verb := args[0]
	switch verb {
	case "help", "-h", "-help", "--help":
		fmt.Println(usage)
		return nil
	}
	flags := flag.NewFlagSet("esnode "+verb, flag.ContinueOnError)
	flags.Usage = func() { fmt.Fprintln(flags.Output(), usage) }
	name := flags.String("name", "", "")
	port := flags.Int("port", 0, "")
	heap := flags.String("heap", "512m", "")
	purge := flags.Bool("purge", false, "")
	secured := flags.Bool("secured", false, "")
	server := flags.String("server", "", "")
	if err := flags.Parse(args[1:]); errors.Is(err, flag.ErrHelp) {
		return nil
	} else if err != nil {
		return err
	}
	if *name == "" {
		*name = "demo"
		if *secured {
			*name = "secured"
		}
	}
	switch verb {
	case "up":
		if *secured {
			return upSecured(ctx, *server, *name, *port, *heap)
		}
		start := time.Now()
		what, err := esnode.Describe(*server)
		if err != nil {
			return err
		}
		fmt.Fprintln(os.Stderr, "esnode:", what, "...")
		n, err := esnode.Open(ctx, esnode.Options{Server: *server, Name: *name, Port: *port, Heap: *heap})
		if err != nil {
			return err
		}
		fmt.Fprintf(os.Stderr, "esnode: ready after %.0f s\n", time.Since(start).Seconds())
		fmt.Println(n.URL)
		return nil
	case "down":
		return down(ctx, *server, *name, *purge)
	case "url":
		if url := os.Getenv("ELASTICSEARCH_URL"); url != "" {
			fmt.Println(url)
			return nil
		}
		n, err := esnode.Find(*server, *name)
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
		return esnode.Fetch(ctx, *server)
	case "servers":
		for _, name := range esnode.Servers() {
			fmt.Println(name)
		}
		return nil
	default:
		return fmt.Errorf("esnode: unknown verb %q: use up, down, url, names, fetch or servers", verb)
	}
}

// upSecured starts a node with TLS and security, or finds it, and prints what
// a shell needs to reach it as its superuser.
func upSecured(ctx context.Context, server, name string, port int, heap string) error {
	if os.Getenv("ELASTICSEARCH_URL") != "" {
		return errors.New("esnode: -secured starts a node of its own; unset ELASTICSEARCH_URL")
	}
	fmt.Fprintln(os.Stderr, "esnode: starting Elasticsearch with TLS and users (about 20 s) ...")
	cache, err := esnode.CacheDir()
	if err != nil {
		return err
	}
	password, err := keptPassword(filepath.Join(cache, "nodes"), name)
	if err != nil {
		return err
	}
	n, err := esnode.Open(ctx, esnode.Options{Server: server, Name: name, Port: port, Heap: heap, Password: password, TLS: true})
	if err != nil {
		return err
	}
	if n.Password == "" || n.Authority() == nil {
		return fmt.Errorf("esnode: the node %s runs without security; choose another -name", name)
	}
	ca := filepath.Join(n.Dir, "authority.pem")
	if err := os.WriteFile(ca, n.Authority().CA(), 0o644); err != nil {
		return err
	}
	fmt.Printf("export DOSSIER_ES_HOSTS=%s\nexport DOSSIER_ES_CA_FILE=%s\nexport DOSSIER_ES_USER=%s\nexport DOSSIER_ES_PASSWORD=%s\n",
		n.URL, ca, n.User, n.Password)
	return nil
}

// keptPassword returns the password of a node: it is in the node's data from
// the first time on, so it stays the same as long as those are kept.
func keptPassword(dir, name string) (string, error) {
	path := filepath.Join(dir, filepath.Base(name)+".password")
	b, err := os.ReadFile(path)
	if err == nil && len(b) > 0 {
		return string(b), nil
	}
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		return "", err
	}
	password := rand.Text()
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return "", err
	}
	return password, os.WriteFile(path, []byte(password), 0o600)
}

func down(ctx context.Context, server, name string, purge bool) error {
	n, err := esnode.Find(server, name)
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
