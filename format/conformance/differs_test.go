package conformance

// goDiffers are the files that package format does not read as FORMAT.md wants, and why.
func goDiffers() map[string]string {
	refused := "NewReader fails at a first section that it must refuse; section 4 wants it to go on with the next"
	return map[string]string{
		"major-first-plain":      refused,
		"major-first-fs":         refused,
		"min-reader-first-plain": refused,
		"min-reader-first-fs":    refused,
		"foreign-cut-plain":      "a skippable frame that reaches beyond the file ends the reading; section 10 rule 3 wants the search",
	}
}
