package main

import (
	"fmt"
	"runtime"
	"runtime/debug"

	"github.com/spf13/cobra"
)

// release is the version of this source tree; CHANGELOG.md has the same.
const release = "0.1.0"

// newVersionCmd returns "spliff version".
func newVersionCmd() *cobra.Command {
	return &cobra.Command{
		Use:   "version",
		Short: "Print the version",
		Args:  usageArgs(cobra.NoArgs),
		RunE: func(cmd *cobra.Command, _ []string) error {
			_, err := fmt.Fprintln(cmd.OutOrStdout(), versionLine())
			return err
		},
	}
}

// programVersion is what a session names as its writer.
func programVersion() string { return "spliff " + release }

// versionLine names the release, the commit it was built from and the platform.
func versionLine() string {
	return fmt.Sprintf("%s (%s, %s %s/%s)", programVersion(), revision(), runtime.Version(), runtime.GOOS, runtime.GOARCH)
}

// revision returns the commit the build recorded, marked when the tree was not clean.
func revision() string {
	rev, dirty := "unknown commit", ""
	// Set by go build in a git checkout; go test and a tarball leave it out.
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return rev
	}
	for _, s := range info.Settings {
		switch {
		case s.Key == "vcs.revision" && len(s.Value) >= 12:
			rev = s.Value[:12]
		case s.Key == "vcs.modified" && s.Value == "true":
			dirty = "+changes"
		}
	}
	return rev + dirty
}
