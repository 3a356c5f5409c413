package record

import (
	"strings"
	"testing"
)

func TestContainerID(t *testing.T) {
	a, b := strings.Repeat("0123456789abcdef", 4), strings.Repeat("f0", 32)
	const pod = "pod2f0f4a2e_7b51_4d31_8a6e_0d9e8f7a6b5c"
	tests := []struct{ path, want string }{
		// The host.
		{"", ""},
		{"/", ""},
		{"/init.scope", ""},
		{"/system.slice/nginx.service", ""},
		{"/user.slice/user-1000.slice/session-3.scope", ""},
		{"/user.slice/user-1000.slice/user@1000.service/app.slice/app-gnome-firefox-1234.scope", ""},
		{"/system.slice/docker.service", ""},
		{"/system.slice/containerd.service", ""},
		// docker, and a group made in the container.
		{"/docker/" + a, a},
		{"/docker/" + a + "/init.scope", a},
		{"/docker/" + a + "/system.slice/nginx.service", a},
		{"/docker/" + a + "/docker/" + b, b},
		{"/system.slice/docker-" + a + ".scope", a},
		{"/user.slice/user-1000.slice/user@1000.service/user.slice/docker-" + a + ".scope", a},
		// As seen from another cgroup namespace.
		{"/../../docker-" + a + ".scope", a},
		// podman.
		{"/machine.slice/libpod-" + a + ".scope", a},
		{"/machine.slice/libpod-" + a + ".scope/container", a},
		{"/libpod_parent/libpod-" + a, a},
		{"/user.slice/user-1000.slice/user@1000.service/user.slice/libpod-" + a + ".scope", a},
		{"/machine.slice/libpod-conmon-" + a + ".scope", ""},
		// Kubernetes: cgroupfs and systemd drivers, containerd, CRI-O, docker, and the pod itself.
		{"/kubepods/besteffort/pod2f0f4a2e-7b51-4d31-8a6e-0d9e8f7a6b5c/" + a, a},
		{"/kubepods.slice/kubepods-burstable.slice/kubepods-burstable-" + pod + ".slice/cri-containerd-" + a + ".scope", a},
		{"/kubepods.slice/kubepods-" + pod + ".slice/crio-" + a + ".scope", a},
		{"/kubepods.slice/kubepods-" + pod + ".slice/crio-conmon-" + a + ".scope", ""},
		{"/kubepods.slice/kubepods-" + pod + ".slice/docker-" + a + ".scope", a},
		{"/system.slice/kubepods-burstable-" + pod + ".slice:cri-containerd:" + a, a},
		{"/kubelet.slice/kubelet-kubepods.slice/kubelet-kubepods-" + pod + ".slice/cri-containerd-" + a + ".scope", a},
		{"/kubepods.slice/kubepods-" + pod + ".slice", ""},
		// containerd without Kubernetes.
		{"/system.slice/nerdctl-" + a + ".scope", a},
		{"/default/" + a, a},
		// Amazon ECS, on machines and on Fargate.
		{"/ecs/0123456789abcdef0123456789abcdef/" + a, a},
		{"/ecs/0123456789abcdef0123456789abcdef/0123456789abcdef0123456789abcdef-1234567890", "0123456789abcdef0123456789abcdef-1234567890"},
		{"/ecs/0123456789abcdef0123456789abcdef", ""},
		// systemd-nspawn: started by hand, as a service, and its supervisor.
		{`/machine.slice/machine-debian.scope`, "debian"},
		{`/machine.slice/machine-web\x2d1.scope/payload/system.slice/nginx.service`, "web-1"},
		{`/machine.slice/machine-web\x2d1.scope/supervisor`, ""},
		{`/machine.slice/systemd-nspawn@web\x2d1.service/payload/init.scope`, "web-1"},
		{`/machine.slice/systemd-nspawn@web.service/supervisor`, ""},
		{`/machine.slice/machine-qemu\x2d1\x2dvm.scope/libvirt/emulator`, ""},
		{`/machine.slice/machine-lxc\x2d42\x2dbox.scope`, "lxc-42-box"},
		// LXC and LXD.
		{"/lxc/box/system.slice/ssh.service", "box"},
		{"/lxc.payload.box/init.scope", "box"},
		{"/lxc.monitor.box", ""},
		// Not what they look like.
		{"/docker/" + a[:63], ""},
		{"/docker/" + strings.ToUpper(a), ""},
		{"/docker-" + a + "0.scope", ""},
		{"/machine.slice/machine-\x1b[2J.scope", ""},
		{`/machine.slice/machine-a\x1bb.scope`, ""},
		{`/machine.slice/machine-\x2.scope`, ""},
		{"/lxc/" + strings.Repeat("a", 65), ""},
	}
	for _, tt := range tests {
		if got := ContainerID(tt.path); got != tt.want {
			t.Errorf("%q: %q, want %q", tt.path, got, tt.want)
		}
	}
}

// FuzzContainerID: a hostile group's name reaches nobody's screen.
func FuzzContainerID(f *testing.F) {
	f.Add("/machine.slice/machine-web\\x2d1.scope/payload")
	f.Add("/docker/" + strings.Repeat("ab", 32))
	f.Add("/lxc/\x1b")
	f.Fuzz(func(t *testing.T, path string) {
		if id := ContainerID(path); id != "" && machine(id) == "" {
			t.Errorf("%q: %q", path, id)
		}
	})
}
