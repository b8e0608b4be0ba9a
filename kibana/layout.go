package kibana

// panel is one panel of a dashboard.
type panel struct {
	kind     kind
	title    string
	question string // that it answers
	next     string // what is done with the answer
	view     view
	where    Condition
	rows     []column // buckets, outermost first
	metrics  []column
	w        int  // of the grid's 48
	opens    bool // a click on the first column opens the dashboard of that attacker
	ref      string
	spec     func(kit) object
}

// band is a row of panels of one height.
type band struct {
	h      int
	panels []panel
}

type control struct {
	view  view
	field string
	title string
}

type dashboard struct {
	name, short, title string
	about              string
	from               string
	controls           []control
	bands              []band
}

// gridWidth is that of Kibana's grid.
const gridWidth = 48

// laid is a panel in its place.
type laid struct {
	panel
	x, y, h int
}

// laid returns the panels in their places, below the links and the line that
// says what is counted.
func (d *dashboard) laid() []laid {
	var out []laid
	y := 0
	for _, b := range append([]band{
		{3, []panel{{kind: linksOf, title: "Dashboards", ref: navigation, w: gridWidth}}},
		{3, []panel{{kind: note, title: "What is counted", w: gridWidth}}},
	}, d.bands...) {
		x := 0
		for _, p := range b.panels {
			out = append(out, laid{p, x, y, b.h})
			x += p.w
		}
		y += b.h
	}
	return out
}
