package conformance

// goDiffers are the files that package format reads in another way than the second
// reader, and what in FORMAT.md allows both.
func goDiffers() map[string]string {
	refused := "section 4: a reader may stop at a first section that it must refuse, and NewReader does, so that its caller can say so"
	return map[string]string{
		"major-first-plain":      refused,
		"major-first-fs":         refused,
		"min-reader-first-plain": refused,
		"min-reader-first-fs":    refused,
	}
}
