package api

import (
	"fmt"
	"strings"

	"rsc.io/qr"
)

const svgType = "image/svg+xml"

// Of the picture, in its units: a module, and the margin in modules that
// readers need.
const (
	qrModule = 4
	qrMargin = 2
)

// qrSVG draws a QR code, error level M: a row's neighbouring dark modules are
// one rectangle of a single path. It is black on white whatever is around it,
// and holds no text of its own.
func qrSVG(text string) ([]byte, error) {
	code, err := qr.Encode(text, qr.M)
	if err != nil {
		return nil, err
	}
	size := (code.Size + 2*qrMargin) * qrModule
	var b strings.Builder
	fmt.Fprintf(&b, `<svg xmlns="http://www.w3.org/2000/svg" width="%[1]d" height="%[1]d" viewBox="0 0 %[1]d %[1]d" shape-rendering="crispEdges">`, size)
	b.WriteString(`<rect width="100%" height="100%" fill="#fff"/><path fill="#000" d="`)
	for y := range code.Size {
		for x := 0; x < code.Size; x++ {
			run := 0
			for x+run < code.Size && code.Black(x+run, y) {
				run++
			}
			if run > 0 {
				w := run * qrModule
				fmt.Fprintf(&b, "M%d %dh%dv%dh-%dz", (x+qrMargin)*qrModule, (y+qrMargin)*qrModule, w, qrModule, w)
				x += run
			}
		}
	}
	b.WriteString(`"/></svg>` + "\n")
	return []byte(b.String()), nil
}
