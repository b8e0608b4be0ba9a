package kibana

import "fmt"

// saved is a saved object.
func saved(typ, id, version string, attributes object, references []reference) object {
	if references == nil {
		references = []reference{}
	}
	o := object{"type": typ, "id": id, "attributes": attributes, "references": references, "coreMigrationVersion": coreVersion, "managed": false}
	if version != "" {
		o["typeMigrationVersion"] = version
	}
	return o
}

func (k kit) objects() []any {
	var out []any
	for _, v := range []struct {
		view
		name, time string
		formats    object
	}{
		{attackers, "attackers", "@timestamp", object{"asn": object{"id": "number", "params": object{"pattern": "0"}}}},
		{activity, "activity by the hour", "@timestamp", object{}},
		{transitions, "transitions", "@timestamp", object{}},
		{targets, "mail targets", "@timestamp", object{}},
		{indicators, "indicators", "@timestamp", object{}},
		// The time of a heartbeat is no time to look at: the picker would
		// hide what is silent.
		{sensors, "sensors", "", object{"bytes_in": object{"id": "bytes"}, "cache_bytes": object{"id": "bytes"}}},
	} {
		out = append(out, k.dataView(v.view, k.mark()+v.name, v.time, v.formats))
	}
	out = append(out, k.changes(), k.origins(), k.navigation())
	for _, d := range dashboards {
		out = append(out, k.dashboard(d))
	}
	return out
}

func (k kit) dataView(v view, name, timeField string, formats object) object {
	a := object{
		"title": k.pattern(v), "name": name, "fields": "[]", "fieldAttrs": "{}", "fieldFormatMap": text(formats), "runtimeFieldMap": "{}",
		"sourceFilters": `[{"value":"state"}]`, "typeMeta": "{}", "allowNoIndex": true, "allowHidden": false,
	}
	if v == attackers {
		a["runtimeFieldMap"] = text(object{"risk.current": object{"type": "double", "script": object{"source": riskCurrent}}})
	}
	if timeField != "" {
		a["timeFieldName"] = timeField
	}
	return saved("index-pattern", k.id(string(v)), viewVersion, a, nil)
}

// riskCurrent is what is left of a score today: the one script, that of
// docs/queries.md. No panel uses it; it is there to be asked for.
const riskCurrent = `if (doc['risk.score'].size() > 0 && doc['risk.half_life_d'].size() > 0 && doc['last_seen'].size() > 0) { double days = (System.currentTimeMillis() - doc['last_seen'].value.toInstant().toEpochMilli()) / 86400000.0; emit(doc['risk.score'].value * Math.pow(0.5, Math.max(0.0, days) / doc['risk.half_life_d'].value)); }`

// The saved search and the map by their ids behind the prefix.
const (
	changes    = "changes"
	origins    = "map"
	navigation = "nav"
)

// changes are the lines crossed, newest first.
func (k kit) changes() object {
	const index = "kibanaSavedObjectMeta.searchSourceJSON.index"
	return saved("search", k.id(changes), searchVersion, object{
		"title": k.mark() + "What changed", "description": "Lines that attackers crossed for the first time, newest first.",
		"columns": []string{"source.ip", "event.action", "transition.value", "message", "risk.score", "behavior.class", "services"},
		"sort":    []any{[]any{"@timestamp", "desc"}}, "grid": object{}, "hideChart": true, "isTextBasedQuery": false,
		"kibanaSavedObjectMeta": object{"searchSourceJSON": text(object{"query": kuery(""), "filter": []any{}, "indexRefName": index})},
	}, []reference{{"index-pattern", k.id(string(transitions)), index}})
}

func (k kit) navigation() object {
	var list []any
	var refs []reference
	for i, d := range dashboards {
		id := fmt.Sprintf("l%d", i)
		list = append(list, object{
			"id": id, "order": i, "type": "dashboardLink", "label": d.short, "destinationRefName": "link_" + id + "_dashboard",
			"options": object{"openInNewTab": false, "useCurrentDateRange": true, "useCurrentFilters": true},
		})
		refs = append(refs, reference{"dashboard", k.id(d.name), "link_" + id + "_dashboard"})
	}
	return saved("links", k.id(navigation), "", object{"title": k.mark() + "Dashboards", "description": "", "layout": "horizontal", "links": list}, refs)
}

// origins is the map: base tiles, and clusters of attackers.
func (k kit) origins() object {
	static := func(v object) object { return object{"type": "STATIC", "options": v} }
	byCount := func(o object) object {
		o["field"] = object{"name": "doc_count", "origin": "source"}
		o["fieldMetaOptions"] = object{"isEnabled": true, "sigma": 3}
		return object{"type": "DYNAMIC", "options": o}
	}
	const ref = "layer_1_source_index_pattern"
	layers := []any{
		object{
			"id": "base", "type": "EMS_VECTOR_TILE", "label": nil, "minZoom": 0, "maxZoom": 24, "alpha": 1, "visible": true, "includeInFitToBounds": true,
			"style": object{"type": "EMS_VECTOR_TILE", "color": ""}, "sourceDescriptor": object{"type": "EMS_TMS", "isAutoSelect": true, "lightModeDefault": "road_map_desaturated"},
		},
		object{
			"id": "grid", "type": "GEOJSON_VECTOR", "label": "Attackers", "minZoom": 0, "maxZoom": 24, "alpha": 0.75, "visible": true, "includeInFitToBounds": true,
			"joins": []any{}, "query": kuery(""),
			"sourceDescriptor": object{
				"id": "attackers", "type": "ES_GEO_GRID", "geoField": "threat.indicator.geo.location", "requestType": "point", "resolution": "MOST_FINE",
				"metrics": []any{object{"type": "count"}}, "applyGlobalQuery": true, "applyGlobalTime": true, "applyForceRefresh": true, "indexPatternRefName": ref,
			},
			"style": object{"type": "VECTOR", "isTimeAware": true, "properties": object{
				"icon": static(object{"value": "marker"}), "symbolizeAs": object{"options": object{"value": "circle"}},
				"fillColor": byCount(object{"color": "Yellow to Red", "colorCategory": "palette_0", "type": "ORDINAL"}),
				"lineColor": static(object{"color": "#FFF"}), "lineWidth": static(object{"size": 1}),
				"iconSize": byCount(object{"minSize": 6, "maxSize": 24}), "iconOrientation": static(object{"orientation": 0}),
				"labelText": static(object{"value": ""}), "labelColor": static(object{"color": "#000000"}), "labelSize": static(object{"size": 14}),
				"labelBorderColor": static(object{"color": "#FFFFFF"}), "labelBorderSize": object{"options": object{"size": "SMALL"}},
			}},
		},
	}
	return saved("map", k.id(origins), mapVersion, object{
		"title": k.mark() + "Where from", "description": "Attackers by where the database of places puts them.", "layerListJSON": text(layers),
		"mapStateJSON": text(object{
			"zoom": 1.5, "center": object{"lon": 10, "lat": 25}, "timeFilters": object{"from": "now-7d", "to": "now"},
			"refreshConfig": object{"isPaused": true, "interval": 60000}, "query": kuery(""), "filters": []any{},
			"settings": object{"autoFitToDataBounds": false, "initialLocation": "LAST_SAVED_LOCATION"},
		}),
		"uiStateJSON": text(object{"isLayerTOCOpen": false, "openTOCDetails": []any{}}),
	}, []reference{{"index-pattern", k.id(string(attackers)), ref}})
}

// drilldown is Kibana's name of the action that opens another dashboard. Of its
// triggers that action knows this one only: others are never offered.
const (
	drilldown = "DASHBOARD_TO_DASHBOARD_DRILLDOWN"
	onFilter  = "FILTER_TRIGGER"
)

func (k kit) dashboard(d dashboard) object {
	var panels []any
	var refs []reference
	for i, p := range d.laid() {
		index := fmt.Sprintf("p%02d", i)
		embedded := object{"enhancements": object{}, "title": p.title}
		out := object{
			"panelIndex": index, "embeddableConfig": embedded,
			"gridData": object{"i": index, "x": p.x, "y": p.y, "w": p.w, "h": p.h},
		}
		if p.question != "" {
			embedded["description"] = p.question
		}
		switch p.kind {
		case note:
			out["type"] = "visualization"
			embedded["hidePanelTitles"] = true
			embedded["savedVis"] = visualization("markdown", "", object{"fontSize": 12, "openLinksInNewTab": false, "markdown": d.about})
		case vega:
			out["type"] = "visualization"
			embedded["savedVis"] = visualization("vega", p.title, object{"spec": text(p.spec(k))})
		case linksOf, mapOf, found:
			out["type"] = string(p.kind)
			out["panelRefName"] = "panel_" + index
			refs = append(refs, reference{string(p.kind), k.id(p.ref), index + ":panel_" + index})
			switch p.kind {
			case linksOf:
				embedded["hidePanelTitles"] = true
			case mapOf:
				embedded["hiddenLayers"], embedded["isLayerTOCOpen"] = []any{}, false
			}
		default:
			out["type"] = "lens"
			attributes := k.lens(&p.panel)
			embedded["attributes"] = attributes
			for _, r := range attributes["references"].([]any) {
				r := r.(reference)
				refs = append(refs, reference{r.Type, r.ID, index + ":" + r.Name})
			}
		}
		if p.opens {
			event := index + "-open"
			embedded["enhancements"] = object{"dynamicActions": object{"events": []any{object{
				"eventId": event, "triggers": []any{onFilter},
				"action": object{
					"factoryId": drilldown, "name": "Open this attacker",
					"config": object{"useCurrentFilters": true, "useCurrentDateRange": true, "openInNewTab": false},
				},
			}}}}
			refs = append(refs, reference{"dashboard", k.id("attacker"), index + ":drilldown:" + drilldown + ":" + event + ":dashboardId"})
		}
		panels = append(panels, out)
	}
	attributes := object{
		"title": k.mark() + d.title, "description": d.about, "version": 1, "timeRestore": true, "timeFrom": d.from, "timeTo": "now",
		"refreshInterval":       object{"pause": true, "value": 60000},
		"optionsJSON":           text(object{"useMargins": true, "syncColors": true, "syncCursor": true, "syncTooltips": false, "hidePanelTitles": false}),
		"panelsJSON":            text(panels),
		"kibanaSavedObjectMeta": object{"searchSourceJSON": text(object{"query": kuery(""), "filter": []any{}})},
	}
	if len(d.controls) > 0 {
		controls := object{}
		for i, c := range d.controls {
			id := fmt.Sprintf("c%d", i)
			controls[id] = object{"type": "optionsListControl", "order": i, "grow": true, "width": "small", "explicitInput": object{
				"id": id, "dataViewId": k.id(string(c.view)), "fieldName": c.field, "title": c.title, "searchTechnique": "prefix",
				"selectedOptions": []any{}, "sort": object{"by": "_count", "direction": "desc"},
			}}
			refs = append(refs, reference{"index-pattern", k.id(string(c.view)), "controlGroup_" + id + ":optionsListDataView"})
		}
		attributes["controlGroupInput"] = object{
			"controlStyle": "oneLine", "chainingSystem": "HIERARCHICAL", "showApplySelections": false, "panelsJSON": text(controls),
			"ignoreParentSettingsJSON": text(object{"ignoreFilters": false, "ignoreQuery": false, "ignoreTimerange": false, "ignoreValidations": false}),
		}
	}
	return saved("dashboard", k.id(d.name), dashboardVersion, attributes, refs)
}

func visualization(typ, title string, params object) object {
	return object{
		"title": title, "description": "", "type": typ, "uiState": object{}, "params": params,
		"data": object{"aggs": []any{}, "searchSource": object{"query": kuery(""), "filter": []any{}}},
	}
}
