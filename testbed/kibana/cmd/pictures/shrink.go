package main

import (
	"image"
	"image/color"
	"image/png"
	"os"
	"slices"
)

// shrink writes a picture anew with the 256 colours that most of it has: of
// charts and letters that takes half the bytes, and nobody sees it.
func shrink(name string) error {
	f, err := os.Open(name)
	if err != nil {
		return err
	}
	full, err := png.Decode(f)
	f.Close()
	if err != nil {
		return err
	}
	b := full.Bounds()
	seen := map[color.RGBA]int{}
	at := func(x, y int) color.RGBA { return color.RGBAModel.Convert(full.At(x, y)).(color.RGBA) }
	for y := b.Min.Y; y < b.Max.Y; y++ {
		for x := b.Min.X; x < b.Max.X; x++ {
			seen[at(x, y)]++
		}
	}
	colours := make([]color.RGBA, 0, len(seen))
	for c := range seen {
		colours = append(colours, c)
	}
	slices.SortFunc(colours, func(p, q color.RGBA) int { return seen[q] - seen[p] })
	var palette color.Palette
	for _, c := range colours[:min(len(colours), 256)] {
		palette = append(palette, c)
	}
	small, near := image.NewPaletted(b, palette), map[color.RGBA]uint8{}
	for y := b.Min.Y; y < b.Max.Y; y++ {
		for x := b.Min.X; x < b.Max.X; x++ {
			c := at(x, y)
			i, ok := near[c]
			if !ok {
				i = uint8(palette.Index(c))
				near[c] = i
			}
			small.SetColorIndex(x, y, i)
		}
	}
	out, err := os.Create(name)
	if err != nil {
		return err
	}
	if err := (&png.Encoder{CompressionLevel: png.BestCompression}).Encode(out, small); err != nil {
		out.Close()
		return err
	}
	return out.Close()
}
