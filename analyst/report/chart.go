package report

import (
	"fmt"
	"time"

	"dossier/analyst"
)

// bar is a rectangle of a chart, in the units of its viewBox.
type bar struct {
	X, Y, W, H float64
	Name, Text string
	LabelX     float64
	LabelY     float64
}

// chart is what a template draws.
type chart struct {
	Width, Height float64
	Bars          []bar
	From, To      string
	Most          int64
}

const (
	chartWidth     = 720.0
	activityHeight = 96.0
	activityBins   = 120
	rowHeight      = 22.0
	labelWidth     = 220.0
	countLabel     = 150.0
	numberWidth    = 60.0
)

// activity is how many events there were when, as upright bars.
func activity(hours []analyst.Hour) *chart {
	bins, first, step := analyst.Bins(hours, activityBins)
	if len(bins) == 0 {
		return nil
	}
	c := &chart{Width: chartWidth, Height: activityHeight}
	for _, n := range bins {
		c.Most = max(c.Most, n)
	}
	width := min(chartWidth/float64(len(bins)), 24)
	for i, n := range bins {
		if n == 0 {
			continue
		}
		h := max(1, activityHeight*float64(n)/float64(max(1, c.Most)))
		at := first.Add(step * time.Duration(i))
		c.Bars = append(c.Bars, bar{
			X: width * float64(i), Y: activityHeight - h, W: max(1, width-1), H: h,
			Text: fmt.Sprintf("%s: %d events", at.Format("2006-01-02 15:04"), n),
		})
	}
	c.From, c.To = first.Format("2006-01-02 15:04"), first.Add(step*time.Duration(len(bins))).Format("2006-01-02 15:04")
	return c
}

// bars are counts as lying bars.
func bars(counts []analyst.Count) *chart {
	if len(counts) == 0 {
		return nil
	}
	c := &chart{Width: chartWidth / 2, Height: rowHeight * float64(len(counts))}
	for _, e := range counts {
		c.Most = max(c.Most, e.Count)
	}
	room := c.Width - countLabel - numberWidth
	for i, e := range counts {
		w := max(1, room*float64(e.Count)/float64(max(1, c.Most)))
		y := rowHeight * float64(i)
		c.Bars = append(c.Bars, bar{
			X: labelWidth / 2, Y: y + 3, W: w, H: rowHeight - 6, Name: cut(string(e.Name), 20), Text: fmt.Sprint(e.Count),
			LabelX: countLabel + w + 5, LabelY: y + rowHeight - 7,
		})
	}
	return c
}

// stays are the times on each decoy, below each other.
func stays(p *analyst.Profile) *chart {
	const most = 40
	dwell := p.Movement.Dwell
	if len(dwell) == 0 {
		return nil
	}
	dwell = dwell[:min(len(dwell), most)]
	from, to := dwell[0].First.Time, dwell[0].Last.Time
	for _, d := range dwell {
		if d.First.Before(from) {
			from = d.First.Time
		}
		if d.Last.After(to) {
			to = d.Last.Time
		}
	}
	span := max(to.Sub(from).Seconds(), 1)
	c := &chart{Width: chartWidth, Height: rowHeight * float64(len(dwell)), From: from.UTC().Format("2006-01-02 15:04:05"), To: to.UTC().Format("2006-01-02 15:04:05")}
	room := chartWidth - labelWidth
	for i, d := range dwell {
		y := rowHeight * float64(i)
		c.Bars = append(c.Bars, bar{
			X: labelWidth + room*d.First.Sub(from).Seconds()/span, Y: y + 4,
			W: max(2, room*d.Last.Sub(d.First.Time).Seconds()/span), H: rowHeight - 8,
			Name: cut(string(d.Decky), 30), Text: fmt.Sprintf("%s to %s, %d events", d.First.Short(), d.Last.Short(), d.Events), LabelY: y + rowHeight - 7,
		})
	}
	return c
}

// gauge is how wide the bar of a score of 0 to 100 is.
func gauge(score float64) float64 { return chartWidth / 2 * min(max(score, 0), 100) / 100 }

func cut(s string, n int) string {
	if r := []rune(s); len(r) > n {
		return string(r[:n-1]) + "…"
	}
	return s
}
