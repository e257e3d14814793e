package io.ambo.node.config;

import java.net.InetAddress;
import java.net.UnknownHostException;
import java.nio.file.Path;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/** A host with four interfaces, one VLAN device and a good key file, unless a test says otherwise. */
final class FakeHost implements HostFacts {
    private final Map<String, HostInterface> interfaces = new LinkedHashMap<>();
    private FileFacts key = new FileFacts.Present(0600, 64);

    FakeHost() {
        with("lo", 65_536, "", -1, 1, "127.0.0.1");
        with("sync", 1500, "", -1, 1, "192.0.2.1", "2001:db8:ff::1");
        with("eth1", 1500, "", -1, 4, "10.0.0.1");
        with("eth2", 1500, "", -1, 2, "203.0.113.1");
        with("eth2.40", 1500, "eth2", 40, 1, "10.40.0.1");
    }

    FakeHost with(String name, int mtu, String parent, int vlan, int queues, String... addresses) {
        interfaces.put(name,
                new HostInterface(name, mtu, parent, vlan, queues, List.of(addresses).stream().map(FakeHost::address).toList()));
        return this;
    }

    FakeHost withKey(FileFacts facts) {
        key = facts;
        return this;
    }

    @Override
    public Map<String, HostInterface> interfaces() { return interfaces; }

    @Override
    public FileFacts file(Path file) { return key; }

    @Override
    public boolean groupExists(String name) { return name.equals("ambo"); }

    @Override
    public boolean hasCpu(int cpu) { return cpu < 8; }

    private static InetAddress address(String text) {
        try {
            return InetAddress.getByName(text);
        } catch (UnknownHostException e) {
            throw new IllegalArgumentException(text, e);
        }
    }
}
