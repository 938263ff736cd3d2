package keeper

import (
	"os"

	"clauster/pkg/bridge"
)

// lingers reports whether the user manager outlives the last login session
// (loginctl(1)): logind keeps a flag file.
func lingers(name string) bool {
	_, err := os.Stat("/var/lib/systemd/linger/" + name)
	return err == nil
}

// userMissing is the refusal where the configuration names no bridge user.
func userMissing(path string) bridge.Cause {
	return bridge.Cause{Name: "no-user", Class: bridge.ClassConfig,
		Reason: path + ` names no bridge user`,
		Hint:   `add this line to ` + path + `: user = "YOUR-LOGIN"`}
}
