package io.ambo.node.config;

import io.ambo.cluster.ClusterKey;
import io.ambo.cluster.address.IpAddress;
import io.ambo.node.config.HostFacts.FileFacts;
import io.ambo.node.config.HostFacts.HostInterface;
import io.ambo.node.firewall.Names;
import java.net.InetAddress;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeSet;
import java.util.function.ToIntFunction;

/** What can only be judged with the whole config, and the host, in view. A value that was reported already is not judged again. */
final class ConfigChecks {
    /** Largest IP packet that a driver can hand to XDP in one page. */
    private static final int DATA_MTU_MAX = 3498;
    private static final int IPV6_MTU_MIN = 1280;
    /** sun_path of a unix socket address (108) without the closing zero and the suffix under which it is bound first. */
    private static final int SOCKET_PATH_MAX = 103;
    private static final int OTHERS_MAY_READ_OR_WRITE = 0006;
    /** Lost batches are given up after two seconds, and then tables are compared. */
    private static final int LOST_DELTAS_FOUND_MS = 5_000;
    /** Bytes of one packet buffer. */
    private static final int FRAME_SIZE_BYTES = 4096;

    private final Config config;
    private final HostFacts host;
    private final Reading reading;

    ConfigChecks(Config config, HostFacts host, Reading reading) {
        this.config = config;
        this.host = host;
        this.reading = reading;
    }

    void run() {
        checkNode();
        checkInterfaces();
        checkCpus();
        checkCluster();
        checkTombstones();
        checkKeyFile();
        checkRules();
        checkNat();
        checkBuffers();
        new AddressChecks(config, host, reading).run();
    }

    private void checkNode() {
        String group = config.node().controlGroup();
        if (!group.isEmpty() && host.isKnown() && !host.groupExists(group)) {
            problem("node.control-group", "no such group on this host", "groupadd --system " + group);
        }
        int length = config.node().controlSocket().toString().getBytes(StandardCharsets.UTF_8).length;
        if (length > SOCKET_PATH_MAX) {
            problem("node.control-socket", "a socket's path has at most " + SOCKET_PATH_MAX + " bytes, this one has " + length, "");
        }
    }

    private void checkInterfaces() {
        List<InterfaceConfig> interfaces = config.interfaces();
        Map<String, Integer> firstByName = new HashMap<>();
        Map<String, Integer> firstByFrames = new HashMap<>();
        for (int i = 0; i < interfaces.size(); i++) {
            InterfaceConfig each = interfaces.get(i);
            String key = "interfaces[" + i + "]";
            if (reading.isWrong(key + ".name")) continue;
            Integer sameName = firstByName.putIfAbsent(each.name(), i);
            if (sameName != null) {
                problem(key + ".name", "stands here twice (first on line " + reading.line("interfaces[" + sameName + "].name") + ")",
                        "remove one of them");
                continue;
            }
            Integer sameFrames = firstByFrames.putIfAbsent(each.device() + "/" + each.vlan(), i);
            if (sameFrames != null) {
                problem(key + ".vlan", "its frames are those of " + interfaces.get(sameFrames).name() + ": the same device and VLAN", "");
            }
            if (each.parent().isEmpty() != (each.vlan() < 0) && !reading.isWrong(key)) {
                problem(each.parent().isEmpty() ? key + ".vlan" : key + ".parent", "parent and vlan come together",
                        "give both, or neither: the kernel knows them");
            }
            if (host.isKnown()) checkOnHost(each, key);
        }
        checkNumbers("zone", zonesByKey(), Names::zoneId);
    }

    private void checkOnHost(InterfaceConfig each, String key) {
        HostInterface actual = host.interfaces().get(each.name());
        if (actual == null) {
            problem(key + ".name", "no such interface on this host", have());
            return;
        }
        if (!each.parent().isEmpty() && !host.interfaces().containsKey(each.parent())) {
            problem(key + ".parent", "no such interface on this host", have());
        } else if (!actual.parent().isEmpty() && !actual.parent().equals(each.parent())) {
            problem(key + ".parent", "the kernel's parent of " + each.name() + " is " + actual.parent(), "leave parent and vlan out");
        } else if (actual.vlan() >= 0 && actual.vlan() != each.vlan()) {
            problem(key + ".vlan", "the kernel's VLAN of " + each.name() + " is " + actual.vlan(), "leave parent and vlan out");
        }
        if (actual.mtu() > DATA_MTU_MAX) {
            problem(key + ".name", "its MTU of " + actual.mtu() + " is more than XDP can take (" + DATA_MTU_MAX + ")",
                    "ip link set " + each.name() + " mtu 1500");
        } else if (actual.mtu() < IPV6_MTU_MIN) {
            problem(key + ".name", "its MTU of " + actual.mtu() + " is less than IPv6 needs (" + IPV6_MTU_MIN + ")",
                    "ip link set " + each.name() + " mtu 1500");
        }
        HostInterface device = host.interfaces().get(each.device());
        int workers = config.datapath().workers();
        if (device != null && workers != DatapathConfig.WORKERS_AUTO && device.receiveQueues() > workers) {
            problem("datapath.workers", device.name() + " has " + device.receiveQueues() + " receive queues, and each needs a worker",
                    "workers: auto, or ethtool -L " + device.name() + " combined " + workers);
        }
    }

    private void checkCpus() {
        List<Integer> cpus = config.datapath().cpus();
        for (int i = 0; i < cpus.size(); i++)
            if (!host.hasCpu(cpus.get(i)) && !reading.isWrong("datapath.cpus[" + i + "]"))
                problem("datapath.cpus[" + i + "]", "is no processor that Ambo may use here",
                        "see `nproc --all`, and AllowedCPUs= of its systemd unit");
    }

    private void checkCluster() {
        ClusterConfig cluster = config.cluster();
        if (cluster.transport() == Transport.UDP) {
            refuseIfGiven("cluster.peers", "counts only with transport: tcp", "remove it, or set cluster.transport to tcp");
            refuseIfGiven("cluster.bind-port", "counts only with transport: tcp",
                    "remove it; with udp the port stands in cluster.multicast");
        } else {
            refuseIfGiven("cluster.multicast", "counts only with transport: udp", "remove it");
            if (cluster.peers().isEmpty() && !reading.isWrong("cluster.peers")) {
                reading.problem("cluster.peers", "is missing",
                        "transport tcp needs the address and port of each member: [192.0.2.1:7800, 192.0.2.2:7800]");
            }
        }
        boolean ipv6 = cluster.bindAddress().getAddress().length == 16;
        if (cluster.transport() == Transport.UDP && !reading.isWrong("cluster.bind-address") && !reading.isWrong("cluster.multicast")
                && ipv6 != (cluster.multicast().getAddress().getAddress().length == 16)) {
            reading.problem(Math.max(reading.line("cluster.multicast"), reading.line("cluster.bind-address")), "cluster.multicast", "",
                    "the group and bind-address are of different IP versions",
                    ipv6 ? "write multicast: \"[ff02::4350]:7800\"" : "use one of 239.0.0.0/8");
        }
        if (cluster.heartbeatTimeoutMs() < 3 * cluster.heartbeatMs()) {
            problem(reading.isGiven("cluster.heartbeat-timeout") ? "cluster.heartbeat-timeout" : "cluster.heartbeat",
                    "the timeout is less than three heartbeats: one lost datagram would be taken for a death",
                    "heartbeat-timeout of " + Units.durationMsText(3L * cluster.heartbeatMs()) + " or more");
        }
        if (cluster.probeTimeoutMs() < 3 * cluster.probeMs()) {
            problem(reading.isGiven("cluster.probe-timeout") ? "cluster.probe-timeout" : "cluster.probe",
                    "the timeout is less than three probes: one lost datagram would be taken for a death",
                    "probe-timeout of " + Units.durationMsText(3L * cluster.probeMs()) + " or more");
        }
        if (cluster.processTimeoutMs() >= config.datapath().surviveMs()) {
            problem(reading.isGiven("cluster.process-timeout") ? "cluster.process-timeout" : "datapath.survive",
                    "the kernel stops forwarding (datapath.survive) before the addresses go on to a peer (cluster.process-timeout)",
                    "make cluster.process-timeout the shorter one");
        }
        if (host.isKnown() && !reading.isWrong("cluster.bind-address")) checkSyncLink(cluster.bindAddress());
    }

    /** What a member has to say of a session may come so late: it may be paused as long as it counts as alive, and what was lost then is looked for. */
    private void checkTombstones() {
        ClusterConfig cluster = config.cluster();
        int longestDelayMs = Math.max(cluster.heartbeatTimeoutMs(), cluster.processTimeoutMs()) + LOST_DELTAS_FOUND_MS;
        if (config.timeouts().tombstoneMs() >= longestDelayMs) return;
        String longer = cluster.processTimeoutMs() >= cluster.heartbeatTimeoutMs()
                ? "cluster.process-timeout"
                : "cluster.heartbeat-timeout";
        problem(reading.isGiven("timeouts.tombstone") ? "timeouts.tombstone" : longer,
                "a delta of a member that was paused as long as " + longer
                        + " allows would come after the tombstone, and revive a closed session",
                "tombstone of " + Units.durationMsText(longestDelayMs) + " or more");
    }

    private void checkSyncLink(InetAddress address) {
        for (HostInterface each : host.interfaces().values()) {
            if (!each.addresses().contains(address)) continue;
            for (InterfaceConfig data : config.interfaces()) {
                if (data.name().equals(each.name()) || data.device().equals(each.name())) {
                    problem("cluster.bind-address",
                            "stands on " + each.name() + ", which carries data: the sync link needs an interface of its own", "");
                    return;
                }
            }
            if (each.mtu() < IPV6_MTU_MIN) {
                problem("cluster.bind-address", "the MTU of " + each.name() + " is " + each.mtu() + ", the sync link needs " + IPV6_MTU_MIN,
                        "ip link set " + each.name() + " mtu 1500");
            }
            return;
        }
        List<String> addresses = new ArrayList<>();
        for (HostInterface each : host.interfaces().values()) {
            for (InetAddress have : each.addresses()) {
                if (!have.isLoopbackAddress() && !have.isLinkLocalAddress()) addresses.add(text(have) + " on " + each.name());
            }
        }
        problem("cluster.bind-address", "is no address of this host",
                addresses.isEmpty() ? "it has none" : "have: " + String.join(", ", addresses));
    }

    private void checkKeyFile() {
        if (!host.isKnown() || reading.isWrong("cluster.key-file")) return;
        String path = config.cluster().keyFile().toString();
        switch (host.file(config.cluster().keyFile())) {
            case FileFacts.Missing missing -> problem("cluster.key-file", "no such file",
                    "head -c 48 /dev/urandom | base64 -w0 > " + path + ", and copy it to every member");
            case FileFacts.Unreadable unreadable -> problem("cluster.key-file", "cannot be read: " + unreadable.reason(), "");
            case FileFacts.Present present -> {
                if ((present.mode() & OTHERS_MAY_READ_OR_WRITE) != 0) {
                    problem("cluster.key-file",
                            "everybody on this host may read or write it (mode " + String.format("%04o", present.mode()) + ")",
                            "chmod 0600 " + path);
                } else if (present.size() < ClusterKey.SHORTEST) {
                    problem("cluster.key-file", "holds a key of " + present.size() + " bytes, " + ClusterKey.SHORTEST + " are needed",
                            "head -c 48 /dev/urandom | base64 -w0 > " + path);
                } else if (present.size() > ClusterKey.LONGEST) {
                    problem("cluster.key-file", "holds " + present.size() + " bytes, " + ClusterKey.LONGEST + " are allowed", "");
                }
            }
        }
    }

    private void checkRules() {
        List<RuleConfig> rules = config.firewall().rules();
        Set<String> zones = new LinkedHashSet<>();
        config.interfaces().forEach(each -> zones.add(each.zone()));
        Map<String, Integer> firstByName = new HashMap<>();
        Map<String, String> keyByName = new HashMap<>();
        for (int i = 0; i < rules.size(); i++) {
            RuleConfig rule = rules.get(i);
            String key = "firewall.rules[" + i + "]";
            if (!reading.isWrong(key + ".name")) {
                Integer first = firstByName.putIfAbsent(rule.name(), i);
                keyByName.putIfAbsent(rule.name(), key + ".name");
                if (first != null) {
                    problem(key + ".name",
                            "two rules have this name (the first on line " + reading.line("firewall.rules[" + first + "].name") + ")",
                            "rename one of them");
                }
            }
            checkZones(key + ".from", rule.from(), zones);
            checkZones(key + ".to", rule.to(), zones);
            checkRule(rule, key);
        }
        checkNumbers("rule", keyByName, Names::ruleId);
    }

    private void checkNat() {
        Set<String> zones = new LinkedHashSet<>();
        config.interfaces().forEach(each -> zones.add(each.zone()));
        Map<String, Integer> firstByName = new HashMap<>();
        for (int i = 0; i < config.nat().size(); i++) {
            NatConfig rule = config.nat().get(i);
            String key = "nat[" + i + "]";
            Integer first = firstByName.putIfAbsent(rule.name(), i);
            if (first != null && !reading.isWrong(key + ".name")) {
                problem(key + ".name", "two rules have this name (the first on line " + reading.line("nat[" + first + "].name") + ")",
                        "rename one of them");
            }
            checkZones(key + ".from", rule.from(), zones);
            checkZones(key + ".to", rule.to(), zones);
            if (rule.protocols().contains(Protocol.ICMP))
                refuseIfGiven(key + ".ports", "icmp has no ports", "set protocol to tcp, udp or [tcp, udp]");
            if (rule.snat() != null) checkSourceNat(rule, rule.snat(), key);
            if (rule.dnat() != null) checkDestinationNat(rule, rule.dnat(), key);
        }
    }

    private void checkSourceNat(NatConfig rule, Cidr snat, String key) {
        refuseIfGiven(key + ".dnat-port", "counts only with dnat", "remove it");
        checkVersion(key + ".snat", snat.isIpv4(), rule);
        List<String> members = config.cluster().members();
        if (reading.isWrong("cluster.members") || reading.isWrong("node.name")) return;
        if (members.isEmpty()) {
            reading.problem("cluster.members", "is missing",
                    "nat rule " + rule.name() + " gives out ports, and each member has its share: members: [a, b]");
        } else if (!members.contains(config.node().name())) {
            problem("cluster.members", "this node, " + config.node().name() + ", is not among them",
                    "name every member, in the same order on all");
        } else if (rule.snatPorts().last() - rule.snatPorts().first() + 1 < members.size()) {
            problem(key + ".snat-ports", "has fewer ports than the cluster has members", "");
        }
    }

    private void checkDestinationNat(NatConfig rule, IpAddress dnat, String key) {
        refuseIfGiven(key + ".snat-ports", "counts only with snat", "remove it");
        refuseIfGiven(key + ".to", "counts only with snat: where the route leads is known after the destination is translated",
                "remove it");
        checkVersion(key + ".dnat", dnat.isIpv4(), rule);
        if (rule.destination().included().isEmpty())
            reading.problem(key + ".destination", "is missing", "name the address that clients use");
        if (rule.dnatPort() > 0 && rule.protocols().contains(Protocol.ICMP))
            problem(key + ".dnat-port", "icmp has no ports", "set protocol to tcp, udp or [tcp, udp]");
    }

    private void checkVersion(String key, boolean ipv4, NatConfig rule) {
        if (isOneVersion(rule.source(), !ipv4) || isOneVersion(rule.destination(), !ipv4))
            problem(key, "is of another IP version than the packets that match", "");
    }

    private void checkZones(String key, Set<String> named, Set<String> zones) {
        if (reading.isWrong("interfaces")) return;
        for (String zone : named) {
            if (zones.contains(zone)) continue;
            String meant = Value.didYouMean(zone, zones);
            problem(key, named.size() == 1 ? "no interface is in this zone" : "no interface is in zone " + zone,
                    meant.isEmpty() ? "have: " + String.join(", ", zones) : meant);
        }
    }

    private void checkRule(RuleConfig rule, String key) {
        if (reading.isWrong(key + ".protocol") || reading.isWrong(key + ".action")) return;
        if (rule.protocols().contains(Protocol.ICMP)) {
            String remedy = "set protocol to tcp, udp or [tcp, udp]";
            refuseIfGiven(key + ".ports", "icmp has no ports", remedy);
            refuseIfGiven(key + ".source-ports", "icmp has no ports", remedy);
        }
        if (!rule.protocols().contains(Protocol.TCP)) {
            if (rule.onTimeout() == OnTimeout.RESET)
                problem(key + ".on-timeout", "only TCP sessions can be reset", "remove it, or set protocol to tcp");
            if (rule.midStream() == MidStream.ACCEPT)
                problem(key + ".mid-stream", "only TCP sessions have a middle", "remove it, or set protocol to tcp");
        }
        if (rule.action() != Action.ALLOW) {
            for (String name : List.of("timeout", "on-timeout", "mid-stream", "defer", "max-sessions", "max-sessions-per-source")) {
                refuseIfGiven(key + "." + name, "counts only with action: allow", "remove it");
            }
        }
        if (isOneVersion(rule.source(), true) && isOneVersion(rule.destination(), false)
                || isOneVersion(rule.source(), false) && isOneVersion(rule.destination(), true)) {
            problem(key + ".destination", "is of another IP version than source: no packet can match both", "make two rules of it");
        }
    }

    /** True when only packets of that version can match. */
    private static boolean isOneVersion(AddressMatch match, boolean ipv4) {
        return !match.included().isEmpty() && match.included().stream().allMatch(cidr -> cidr.isIpv4() == ipv4);
    }

    /** Parked, deferred, waiting and fragmented packets must leave room for those that are on their way. */
    private void checkBuffers() {
        LimitConfig limits = config.limits();
        int frames = config.datapath().packetMemoryBytes() / FRAME_SIZE_BYTES;
        long held = 2L * limits.parked() + limits.pendingNeighbour() + limits.fragments();
        if (held <= frames / 2 || reading.isWrong("limits") || reading.isWrong("datapath.packet-memory")) return;
        long needed = Math.ceilDiv(2 * held * FRAME_SIZE_BYTES, 1L << 20);
        problem("datapath.packet-memory",
                "packets that are parked, deferred, under reassembly or waiting for a neighbour could fill more than half of it",
                "set it to " + needed + "MiB, or lower limits.parked, limits.pending-neighbour or limits.fragments");
    }

    private Map<String, String> zonesByKey() {
        Map<String, String> keyByZone = new HashMap<>();
        for (int i = 0; i < config.interfaces().size(); i++) {
            String key = "interfaces[" + i + "].zone";
            if (!reading.isWrong(key)) keyByZone.putIfAbsent(config.interfaces().get(i).zone(), key);
        }
        return keyByZone;
    }

    /** Two names whose numbers in session records would be the same. */
    private void checkNumbers(String what, Map<String, String> keyByName, ToIntFunction<String> number) {
        Map<Integer, String> nameByNumber = new HashMap<>();
        for (String name : new TreeSet<>(keyByName.keySet())) {
            String other = nameByNumber.putIfAbsent(number.applyAsInt(name), name);
            if (other != null) {
                problem(keyByName.getOrDefault(name, ""), "has the same number in session records as " + what + " " + other,
                        "rename one of them");
            }
        }
    }

    private static String text(InetAddress address) { return String.valueOf(IpAddress.ofBytes(address.getAddress())); }

    private String have() { return "have: " + String.join(", ", host.interfaces().keySet()); }

    private void refuseIfGiven(String key, String rule, String remedy) { if (reading.isGiven(key)) problem(key, rule, remedy); }

    private void problem(String key, String rule, String remedy) { if (!reading.isWrong(key)) reading.problem(key, rule, remedy); }
}
