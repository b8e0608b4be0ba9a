package kibana

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
)

// vocabulary is what saved objects of Kibana say, by the kind of part: names in
// braces stand below a name, [] is a list, * any name, =a|b are the values that
// are allowed, and ~ what is looked at as a part of its own. Texts whose names
// end in JSON are read.
//
// Each name stands in what Kibana 8.3 to 9.3 exported: 1,522 objects of T-Pot
// (fd2573b), DShield-SIEM (07f7717), elastic/package-spec (c0b0af5) and
// elastic/elastic-package (6371bee), compared name by name. Not in them, and
// taken from Kibana's sources: dates of max and min and the format of sum
// (lens, operations/definitions/metrics.tsx), the links' options and their
// horizontal layout (links, common/content_management), openInNewTab of a
// drilldown, and titles of panels that refer to an object.
var vocabulary = map[string]string{
	"index-pattern": `title name timeFieldName allowHidden allowNoIndex fieldAttrs fieldFormatMap fields runtimeFieldMap sourceFilters typeMeta`,
	"search": `title description columns[] sort[] grid{} hideChart isTextBasedQuery
		kibanaSavedObjectMeta{searchSourceJSON{filter[] indexRefName query{language=kuery query}}}`,
	"links": `title description layout=horizontal|vertical
		links[]{id order type=dashboardLink label destinationRefName options{openInNewTab useCurrentDateRange useCurrentFilters}}`,
	"map": `title description
		layerListJSON[]{id type=EMS_VECTOR_TILE|GEOJSON_VECTOR label alpha minZoom maxZoom visible includeInFitToBounds joins[] query{language=kuery query}
			sourceDescriptor{id type=EMS_TMS|ES_GEO_GRID isAutoSelect lightModeDefault=road_map|road_map_desaturated geoField indexPatternRefName
				requestType=point|heatmap resolution=COARSE|FINE|MOST_FINE metrics[]{type=count|cardinality} applyForceRefresh applyGlobalQuery applyGlobalTime}
			style{type=EMS_VECTOR_TILE|VECTOR color isTimeAware properties{symbolizeAs{options{value}}
				*{type=STATIC|DYNAMIC options{value size color orientation minSize maxSize colorCategory type=ORDINAL
					field{name origin=source} fieldMetaOptions{isEnabled sigma}}}}}}
		mapStateJSON{zoom center{lat lon} filters[] query{language=kuery query} refreshConfig{interval isPaused} timeFilters{from to}
			settings{autoFitToDataBounds initialLocation=LAST_SAVED_LOCATION|AUTO_FIT_TO_BOUNDS}}
		uiStateJSON{isLayerTOCOpen openTOCDetails[]}`,
	"dashboard": `title description version timeRestore timeFrom timeTo refreshInterval{pause value} panelsJSON~
		optionsJSON{hidePanelTitles syncColors syncCursor syncTooltips useMargins}
		kibanaSavedObjectMeta{searchSourceJSON{filter[] query{language=kuery query}}}
		controlGroupInput{chainingSystem=HIERARCHICAL controlStyle=oneLine showApplySelections
			ignoreParentSettingsJSON{ignoreFilters ignoreQuery ignoreTimerange ignoreValidations}
			panelsJSON{*{type=optionsListControl order grow width=small|medium
				explicitInput{id title dataViewId fieldName searchTechnique=prefix selectedOptions[] sort{by=_count direction=asc|desc}}}}}`,
	"panel": `type=lens|visualization|search|map|links panelIndex panelRefName gridData{i x y w h}
		embeddableConfig{title description hidePanelTitles hiddenLayers[] isLayerTOCOpen attributes~ savedVis~
			enhancements{dynamicActions{events[]{eventId triggers[]=FILTER_TRIGGER
				action{factoryId=DASHBOARD_TO_DASHBOARD_DRILLDOWN name config{openInNewTab useCurrentDateRange useCurrentFilters}}}}}}`,
	"savedVis": `title description type=markdown|vega uiState{} params{fontSize markdown openLinksInNewTab spec}
		data{aggs[] searchSource{filter[] query{language=kuery query}}}`,
	"lens": `title description type=lens visualizationType=lnsMetric|lnsDatatable|lnsXY|lnsPie|lnsTagcloud|lnsHeatmap references[]{type=index-pattern id name}
		state{visualization~ datasourceStates{formBased{layers~}} query{language=kuery query} filters[] internalReferences[] adHocDataViews{}}`,
	"layer": `columns~ columnOrder[] incompleteColumns{} sampling ignoreGlobalFilters`,

	// Columns, by their operation.
	"count":        column0 + `dataType=number scale=ratio params{emptyAsNull format` + number0 + `}`,
	"sum":          column0 + `dataType=number scale=ratio params{emptyAsNull format` + number0 + `}`,
	"unique_count": column0 + `dataType=number scale=ratio params{emptyAsNull format` + number0 + `}`,
	"max":          column0 + `dataType=number|date scale=ratio params{emptyAsNull format` + number0 + `}`,
	"min":          column0 + `dataType=number|date scale=ratio params{emptyAsNull format` + number0 + `}`,
	"last_value":   column0 + `dataType=string|number scale=ordinal|ratio params{sortField showArrayValues}`,
	"terms": column0 + `dataType=string|number|ip scale=ordinal params{size orderBy{type=column|alphabetical columnId fallback} orderDirection=asc|desc
		otherBucket missingBucket parentFormat{id=terms} include[] exclude[] includeIsRegex excludeIsRegex}`,
	"date_histogram": column0 + `dataType=date scale=interval params{interval=auto|h|1d|1m|10s includeEmptyRows dropPartials}`,

	// Pictures, by Lens's name.
	"lnsMetric": layer0 + `metricAccessor secondaryMetricAccessor breakdownByAccessor maxAccessor`,
	"lnsDatatable": layer0 + `columns[]{columnId isTransposed isMetric oneClickFilter} paging{enabled size}
		rowHeight=single|auto|custom headerRowHeight=single|custom`,
	"lnsXY": `preferredSeriesType` + series0 + ` legend{isVisible position=right|bottom} valueLabels=hide|show fittingFunction=None|Linear|Zero
		axisTitlesVisibilitySettings{x yLeft yRight}
		layers[]{` + layer0 + `seriesType` + series0 + ` xAccessor splitAccessor accessors[] position=top showGridlines ` + colors0 + `}`,
	"lnsPie": `shape=donut|pie|treemap layers[]{` + layer0 + `primaryGroups[] metrics[] numberDisplay=percent|hidden categoryDisplay=default|hide
		legendDisplay=default|show|hide nestedLegend emptySizeRatio ` + colors0 + `}`,
	"lnsTagcloud": layer0 + `tagAccessor valueAccessor minFontSize maxFontSize orientation=single showLabel ` + colors0,
	"lnsHeatmap": layer0 + `shape=heatmap xAccessor yAccessor valueAccessor legend{type=heatmap_legend isVisible position=right|bottom}
		gridConfig{type=heatmap_grid isCellLabelVisible isXAxisLabelVisible isYAxisLabelVisible isXAxisTitleVisible isYAxisTitleVisible}`,
}

// What several parts have.
const (
	column0 = `label customLabel operationType sourceField isBucketed filter{language=kuery query} `
	number0 = `{id=number|bytes params{decimals suffix}}`
	layer0  = `layerId layerType=data `
	series0 = `=bar|bar_stacked|bar_horizontal|bar_horizontal_stacked|line|area|area_stacked`
	colors0 = `colorMapping{assignments[] paletteId=default|eui_amsterdam_color_blind colorMode{type=categorical}
		specialAssignments[]{rule{type=other} color{type=loop} touched}}`
)

// word is what may stand under a name.
type word struct {
	values []string         // that are allowed, nil for any
	in     map[string]*word // names below, nil where there are none
	apart  bool             // looked at as a part of its own
}

var words = func() map[string]*word {
	out := map[string]*word{}
	for part, text := range vocabulary {
		names, rest := read(text)
		if rest != "" {
			panic("kibana: the vocabulary of " + part + " ends at " + rest)
		}
		out[part] = &word{in: names}
	}
	return out
}()

// read reads names up to the brace that closes them and returns what is behind.
func read(text string) (names map[string]*word, rest string) {
	names = map[string]*word{}
	for {
		text = strings.TrimLeft(text, " \t\n")
		if text == "" || text[0] == '}' {
			return names, strings.TrimPrefix(text, "}")
		}
		end := strings.IndexAny(text, " \t\n{}")
		if end < 0 {
			end = len(text)
		}
		said := text[:end]
		text = text[end:]
		w := &word{}
		name, values, limited := strings.Cut(said, "=")
		if limited {
			w.values = strings.Split(values, "|")
		}
		name, w.apart = strings.CutSuffix(strings.TrimSuffix(name, "[]"), "~")
		if strings.HasPrefix(text, "{") {
			w.in, text = read(text[1:])
		}
		names[name] = w
	}
}

// says checks that a part of the file says what Kibana knows, and no more.
func (w *proof) says(part string, v any) {
	known, ok := words[part]
	if !ok {
		w.bad("Kibana has no %q", part)
		return
	}
	w.knows(part, "", known, v)
}

func (w *proof) knows(part, path string, known *word, v any) {
	if s, ok := v.(string); ok && strings.HasSuffix(path, "JSON") {
		v = nil
		if json.Unmarshal([]byte(s), &v) != nil {
			w.bad("%s%s is no JSON", part, path)
		}
	}
	switch v := v.(type) {
	case object:
		if known.apart {
			return
		}
		for _, name := range slices.Sorted(maps.Keys(v)) {
			below := known.in[name]
			if below == nil {
				below = known.in["*"]
			}
			if below == nil {
				w.bad("%s%s has no %s", part, path, name)
				continue
			}
			w.knows(part, path+"."+name, below, v[name])
		}
	case []any:
		if known.apart {
			return
		}
		for _, x := range v {
			w.knows(part, path, known, x)
		}
	default:
		if s := fmt.Sprint(v); known.values != nil && !slices.Contains(known.values, s) {
			w.bad("%s%s is never %q", part, path, s)
		}
	}
}
