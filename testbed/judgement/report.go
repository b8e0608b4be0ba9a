package judgement

import (
	"fmt"
	"io"
	"math"
	"slices"
	"strings"
)

// tauB is Kendall's rank correlation with ties (tau-b; M. G. Kendall, "The
// treatment of ties in ranking problems", 1945).
func tauB(x, y []float64) float64 {
	var same, opposite, onlyX, onlyY float64
	for i := range x {
		for j := range i {
			a, b := x[i]-x[j], y[i]-y[j]
			switch {
			case a == 0 && b == 0:
			case a == 0:
				onlyX++
			case b == 0:
				onlyY++
			case a*b > 0:
				same++
			default:
				opposite++
			}
		}
	}
	return (same - opposite) / math.Sqrt((same+opposite+onlyX)*(same+opposite+onlyY))
}

// Figures are the numbers that a set is measured by. Shares are from 0 to 1.
type Figures struct {
	TauB               float64 `json:"tau_b"`
	Pairs, PairsOf     int
	Techniques         float64 `json:"techniques"` // of those demanded
	TechniquesOf       int
	Forbidden          int
	Odd                int
	Tactics            float64
	Names              float64
	NamesOf            int
	FalseNames         int
	Indicators         float64
	IndicatorsOf       int
	Classified         float64
	Kinds              float64 // of those labelled
	KindsOf            int
	Lines, LinesOf     int
	Harmless, ClearOf  int
	BenignAbove20      int
	MissingDocuments   int
	LinesNotAnAttacker int
}

// Figures sums the report up.
func (r *Report) Figures() Figures {
	f := Figures{TauB: r.TauB, PairsOf: len(r.Set.Pairs), LinesOf: len(r.Set.Lines.Expect), ClearOf: len(r.Set.Lines.None), LinesNotAnAttacker: len(r.NotSeen)}
	f.Pairs, f.Lines, f.Harmless = f.PairsOf-len(r.Failed), f.LinesOf-len(r.Missed), f.ClearOf-len(r.False)
	var techniques, tactics, tacticsOf, names, indicators, classified, kinds int
	for i := range r.Judged {
		j := &r.Judged[i]
		l := j.Label
		f.TechniquesOf += len(l.Must)
		techniques += len(l.Must) - len(j.Missing)
		tacticsOf += len(l.Tactics)
		tactics += len(l.Tactics) - len(j.MissingTactics)
		f.NamesOf += len(l.Names)
		names += len(l.Names) - len(j.MissingNames)
		of := len(l.Indicators.URLs) + len(l.Indicators.SHA256)
		f.IndicatorsOf += of
		indicators += of - len(j.MissingIndicators)
		f.Forbidden += len(j.Forbidden)
		f.Odd += len(j.Odd)
		f.FalseNames += len(j.FalseNames)
		if j.Class == l.Classification {
			classified++
		}
		if l.Kind != "" {
			f.KindsOf++
			if j.Behaviour == l.Kind {
				kinds++
			}
		}
		if l.Classification == "benign" && j.Score > 20 {
			f.BenignAbove20++
		}
		if j.Document == nil {
			f.MissingDocuments++
		}
	}
	f.Techniques, f.Tactics = share(techniques, f.TechniquesOf), share(tactics, tacticsOf)
	f.Names, f.Indicators, f.Classified = share(names, f.NamesOf), share(indicators, f.IndicatorsOf), share(classified, len(r.Judged))
	f.Kinds = share(kinds, f.KindsOf)
	return f
}

// share returns n of of as a share, 1 where there is nothing to have.
func share(n, of int) float64 {
	if of == 0 {
		return 1
	}
	return float64(n) / float64(of)
}

// Write writes the figures, and with details what each attacker lacks.
func (r *Report) Write(w io.Writer, details bool) {
	f := r.Figures()
	fmt.Fprintf(w, "tau-b of tier and risk.score      %.3f\n", f.TauB)
	fmt.Fprintf(w, "pairs that hold                   %d/%d\n", f.Pairs, f.PairsOf)
	fmt.Fprintf(w, "demanded techniques               %.0f %% of %d, forbidden ones %d, unlabelled %d\n", 100*f.Techniques, f.TechniquesOf, f.Forbidden, f.Odd)
	fmt.Fprintf(w, "tactics                           %.0f %%\n", 100*f.Tactics)
	fmt.Fprintf(w, "names                             %.0f %% of %d, false ones %d\n", 100*f.Names, f.NamesOf, f.FalseNames)
	fmt.Fprintf(w, "URLs and digests as indicators    %.0f %% of %d\n", 100*f.Indicators, f.IndicatorsOf)
	fmt.Fprintf(w, "classification                    %.0f %%, benign ones above 20: %d\n", 100*f.Classified, f.BenignAbove20)
	fmt.Fprintf(w, "kinds                             %.0f %% of %d\n", 100*f.Kinds, f.KindsOf)
	fmt.Fprintf(w, "lines recognised, harmless clean  %d/%d, %d/%d (not seen: %d)\n", f.Lines, f.LinesOf, f.Harmless, f.ClearOf, f.LinesNotAnAttacker)
	for tier := range 5 {
		var scores []float64
		for i := range r.Judged {
			if r.Judged[i].Label.Tier == tier {
				scores = append(scores, r.Judged[i].Score)
			}
		}
		if slices.Sort(scores); len(scores) > 0 {
			fmt.Fprintf(w, "tier %d                            %d attackers, risk.score %.1f to %.1f, median %.1f\n", tier, len(scores), scores[0], scores[len(scores)-1], scores[len(scores)/2])
		}
	}
	if !details {
		return
	}
	for _, p := range r.Failed {
		fmt.Fprintf(w, "pair    %s %s %.1f %s %.1f: %s\n", p.Kind, p.A, p.ScoreA, p.B, p.ScoreB, p.Why)
	}
	list := func(v []string) string {
		if len(v) == 0 {
			return "-"
		}
		return strings.Join(v, ",")
	}
	sorted := slices.Clone(r.Judged)
	slices.SortStableFunc(sorted, func(a, b Judged) int { return int(math.Copysign(1, b.Score-a.Score)) })
	for i := range sorted {
		j := &sorted[i]
		fmt.Fprintf(w, "t%d %6.2f %-9s %s %-20s kind=%s/%s missing=%s forbidden=%s odd=%s tactics-=%s names=%s names-=%s false=%s ind-=%d\n", j.Label.Tier, j.Score, j.Level, j.Label.ID, j.Label.Name, j.Behaviour, j.Label.Kind,
			list(j.Missing), list(j.Forbidden), list(j.Odd), list(j.MissingTactics), list(j.Names), list(j.MissingNames), list(j.FalseNames), len(j.MissingIndicators))
	}
	for _, l := range r.Missed {
		fmt.Fprintf(w, "missed  %s %q lacks %s, has %s\n", l.Service, l.Text, list(l.Missing), list(l.Got))
	}
	for _, l := range r.False {
		fmt.Fprintf(w, "false   %s %q shows %s\n", l.Service, l.Text, list(l.Got))
	}
	for _, l := range r.NotSeen {
		fmt.Fprintf(w, "unseen  %s\n", l)
	}
}
