package main

import (
	"context"
	"fmt"
	"net/url"
	"os"
	"slices"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"dossier/kibana"
	"dossier/operate"
	"dossier/plugin/options"
)

// kibanaOptions are the options that are about Kibana as well: who asks it, and
// what is trusted.
var kibanaOptions = []string{
	"es_user", "es_password", "es_password_file", "es_api_key", "es_api_key_file", "es_ca_file", "es_client_cert", "es_client_key", "es_tls_verify", "index_prefix",
}

func newKibana() *cobra.Command {
	c := &cobra.Command{
		Use:   "kibana",
		Short: "Write, or import into Kibana, dashboards and detection rules",
		Long: `kibana has the dashboards and the detection rules that go with the indices of an index prefix. They are written as
NDJSON, or with --url imported into Kibana 8.15 or newer.`,
		Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error { return c.Help() },
	}
	c.AddCommand(
		newKibanaPart("dashboards", "Seven dashboards, with data views, a map, a search and links", `dashboards writes the dashboards and all they need as NDJSON of saved objects to standard output, or with --url imports
it: what is there of the same ids is replaced, so it may run again after each update. Change copies: what is changed in
the dashboards themselves is lost then. It takes the Kibana privilege Saved Objects Management.`,
			kibana.Dashboards, (*kibana.Client).ImportDashboards),
		newKibanaPart("rules", "Ten detection rules for Elastic Security", `rules writes the detection rules as NDJSON to standard output, or with --url imports them: those of the same ids are
replaced. They come switched off; switch on those that you want, or copies. It takes the Kibana privilege Security.`,
			kibana.Rules, (*kibana.Client).ImportRules))
	return c
}

func newKibanaPart(name, short, long string, make func(prefix string) []byte, send func(*kibana.Client, context.Context, []byte) (kibana.Done, error)) *cobra.Command {
	var timeout time.Duration
	var address, space string
	c := &cobra.Command{
		Use: name, Short: short, Long: long, Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			if err := kibana.ValidateSpace(space); err != nil {
				return fmt.Errorf("--space: %w", err)
			}
			if address == "" {
				if space != "" {
					return fmt.Errorf("--space: got %q, but a file goes into whichever space imports it; say where Kibana is with --url", oneLine(space))
				}
				o, err := parseKibana(c, "")
				if err == nil {
					_, err = c.OutOrStdout().Write(make(o.IndexPrefix))
				}
				return err
			}
			if err := kibana.ValidateURL(address); err != nil {
				return fmt.Errorf("--url: %w", err)
			}
			o, err := parseKibana(c, address)
			if err != nil {
				return err
			}
			client, err := operate.Kibana(o, address, space)
			if err != nil {
				return err
			}
			ctx, cancel := context.WithTimeout(c.Context(), timeout)
			defer cancel()
			done, err := send(client, ctx, make(o.IndexPrefix))
			if err != nil {
				return err
			}
			for _, f := range done.Failed {
				fmt.Fprintln(c.OutOrStdout(), "failed:", f)
			}
			fmt.Fprintf(c.OutOrStdout(), "%s: %d objects created or brought up to date, %d failed\n", name, done.Created, len(done.Failed))
			if len(done.Failed) > 0 {
				return exit(1)
			}
			return nil
		},
	}
	for _, d := range options.Describe() {
		if !d.Secret && slices.Contains(kibanaOptions, d.Key) {
			addOption(c, d)
		}
	}
	c.Flags().StringVar(&address, "url", "", "Kibana's address, such as https://kibana:5601: import there instead of writing the file")
	c.Flags().StringVar(&space, "space", "", "Id of the space to import into (default the default space)")
	c.Flags().SetNormalizeFunc(func(_ *pflag.FlagSet, name string) pflag.NormalizedName {
		if name == "prefix" {
			name = "index-prefix"
		}
		return pflag.NormalizedName(name)
	})
	addTimeout(c, &timeout, time.Minute)
	return c
}

// parseKibana reads the options that are about Kibana. Whether they fit each
// other depends on its address, as on that of a node.
func parseKibana(c *cobra.Command, address string) (options.Options, error) {
	warn := func(text string) { fmt.Fprintln(c.ErrOrStderr(), "dossier: warning:", oneLine(text)) }
	misspelt(os.Environ(), warn)
	host := ""
	if u, err := url.Parse(address); err == nil && u.Host != "" {
		if host = u.Scheme + "://" + u.Host; u.Port() == "" {
			host += map[string]string{"http": ":80", "https": ":443"}[u.Scheme]
		}
	}
	o, err := options.Parse(func(key string) string {
		switch {
		case key == "es_hosts":
			return host
		case !slices.Contains(kibanaOptions, key):
			return ""
		case address == "" && key != "index_prefix" && !isFlag(c, key):
			return "" // a file takes no credentials, whatever the environment has
		}
		return value(c, key)
	}, warn)
	if err == nil && !o.TLSVerify {
		warn("es_tls_verify is off: anybody on the way can read and change what is sent, credentials included; give es_ca_file instead")
	}
	return o, sources(c, err)
}
