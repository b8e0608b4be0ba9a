package operate

import (
	"net"
	"net/http"
	"time"

	"dossier/esindex"
	"dossier/kibana"
	"dossier/plugin/options"
)

// Kibana returns a client for the Kibana at the address, with the credentials,
// authorities and certificates of the options. It follows no redirection: what
// Kibana sends elsewhere is somebody who isn't logged in.
func Kibana(o options.Options, address, space string) (*kibana.Client, error) {
	config, err := esindex.TLS(esindex.Options{CAFile: o.CAFile, ClientCert: o.ClientCert, ClientKey: o.ClientKey, TLSSkipVerify: !o.TLSVerify})
	if err != nil {
		return nil, err
	}
	return &kibana.Client{
		URL: address, Space: space, User: o.User, Password: string(o.Password), APIKey: string(o.APIKey),
		HTTP: &http.Client{
			Transport: &http.Transport{
				Proxy: http.ProxyFromEnvironment, TLSClientConfig: config, ForceAttemptHTTP2: true,
				DialContext: (&net.Dialer{Timeout: 10 * time.Second}).DialContext, TLSHandshakeTimeout: 10 * time.Second,
			},
			CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		},
	}, nil
}
