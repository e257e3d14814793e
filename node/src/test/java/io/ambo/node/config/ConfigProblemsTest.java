package io.ambo.node.config;

import static org.assertj.core.api.Assertions.assertThat;

import io.ambo.node.config.HostFacts.FileFacts;
import java.nio.file.Path;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.Arguments;
import org.junit.jupiter.params.provider.MethodSource;

/** Each row: what it shows, what is added to (or put in place of) a good file, and the problem, word by word. The good part has three lines. */
class ConfigProblemsTest {
    private static final String GOOD = ConfigLoaderTest.MINIMAL;

    static Stream<Arguments> additions() {
        return Stream.of(
                row("a mistyped section", "fierwall: {}", "c:4 fierwall: unknown key (did you mean firewall?)"),
                row("a key in the wrong section", "park: 10ms", "c:4 park: unknown key (did you mean cluster.park?)"),
                row("a key like no other", "limits: { colour: red }",
                        "c:4 limits.colour: unknown key (known here: flows, fragments, icmp-errors-per-second, parked, pending-neighbour, redirects-per-second, sessions, sessions-per-source)"),
                row("underscores for hyphens", "limits: { sessions_per_source: 3 }",
                        "c:4 limits.sessions_per_source: unknown key (did you mean sessions-per-source?)"),
                row("a mistyped key of a rule", rule("prots: 80"), "c:4 firewall.rules[0].prots: unknown key (did you mean ports?)"),
                row("a key twice", "limits: { parked: 1, parked: 2 }",
                        "c:4 limits.parked = 2: stands here for the second time (first on line 4) (remove one of them)"),
                row("a section twice", "limits: {}\nlimits: {}",
                        "c:5 limits = {}: stands here for the second time (first on line 4) (remove one of them)"),
                row("another", "virtual-servers: []", "c:4 virtual-servers: this version has no load balancing (remove the section)"),
                row("a floating address without prefix length", "addresses: [ { address: 10.0.0.9, interface: eth1 } ]",
                        "c:4 addresses[0].address = 10.0.0.9: has no prefix length (write 10.0.0.9/24, or /32 for an address alone)"),
                row("a prefix length beyond the address", "addresses: [ { address: 10.0.0.9/33, interface: eth1 } ]",
                        "c:4 addresses[0].address = 10.0.0.9/33: has a prefix length that is not 1-32 (write 10.0.0.9/24, or /32 for an address alone)"),
                row("a floating address that is none", "addresses: [ { address: gateway/24, interface: eth1 } ]",
                        "c:4 addresses[0].address = gateway/24: is no IP address (write 203.0.113.1/24 or 2001:db8::1/64)"),
                row("a floating address for many", "addresses: [ { address: \"ff02::1/64\", interface: eth1 } ]",
                        "c:4 addresses[0].address = ff02::1/64: is no address that a host can have on a network (write 203.0.113.1/24 or 2001:db8::1/64)"),
                row("a floating address elsewhere", "addresses: [ { address: 10.0.0.9/24, interface: eth7 } ]",
                        "c:4 addresses[0].interface = eth7: eth7 is no data interface (have: eth1)"),
                row("a floating address in a network of its own", "addresses: [ { address: 10.9.0.9/24, interface: eth1 } ]",
                        "c:4 addresses[0].address = 10.9.0.9/24: eth1 has no other address of its network, so a node that does not have it has no route there"
                                + " (give each node an address of its own there, or write the address with /32)"),
                row("a floating address twice",
                        "addresses: [ { address: 10.0.0.9/24, interface: eth1 }, { address: 10.0.0.9/32, interface: eth1 } ]",
                        "c:4 addresses[1].address = 10.0.0.9/32: stands here twice (first on line 4) (remove one of them)"),
                row("a neighbour that is a floating address",
                        "addresses: [ { address: 10.0.0.9/24, interface: eth1 } ]\ntracking: { reachability: [ { address: 10.0.0.9, interface: eth1 } ] }",
                        "c:5 tracking.reachability[0].address = 10.0.0.9: is a floating address: a node that has it would ask itself"
                                + " (take the address of a host beyond, such as the upstream router)"),
                row("an interface that is not tracked", "tracking: { interfaces: [eth1, eth9] }",
                        "c:4 tracking.interfaces = [eth1, eth9]: eth9 is no data interface (have: eth1)"),
                row("a tag of a carriage return", "timeouts: { icmp: !%0d 10s }",
                        "c:4: is not YAML: Tag must not contain leading or trailing spaces. (a value that begins with ! needs quotes)"),
                row("a duration without unit", "timeouts: { icmp: 10 }",
                        "c:4 timeouts.icmp = 10: has no unit (write a number and one of us, ms, s, m, h, d: 10ms)"),
                row("a duration with a strange unit", "timeouts: { tcp: { established: 2hours } }",
                        "c:4 timeouts.tcp.established = 2hours: has an unknown unit (write a number and one of us, ms, s, m, h, d: 10ms)"),
                row("a duration out of bounds", "timeouts: { tombstone: 1s }", "c:4 timeouts.tombstone = 1s: is not within 10s to 1h"),
                row("a duration beyond all numbers", "timeouts: { icmp: 99999999999999d }",
                        "c:4 timeouts.icmp = 99999999999999d: is too large"),
                row("a word for a duration", "timeouts: { icmp: soon }",
                        "c:4 timeouts.icmp = soon: is not a duration (write a number and one of us, ms, s, m, h, d: 10ms)"),
                row("a size of disk makers", "datapath: { packet-memory: 64MB }",
                        "c:4 datapath.packet-memory = 64MB: has an unknown unit (write a number and one of KiB, MiB, GiB: 64MiB)"),
                row("a size between pages", "datapath: { packet-memory: 16385KiB }",
                        "c:4 datapath.packet-memory = 16385KiB: is no multiple of 1MiB"),
                row("a number that is none", "limits: { sessions: many }",
                        "c:4 limits.sessions = many: is no whole number (write digits only)"),
                row("a negative number", "limits: { sessions: -1 }", "c:4 limits.sessions = -1: is no whole number (write digits only)"),
                row("a number out of bounds", "limits: { parked: 0 }", "c:4 limits.parked = 0: is not within 1 to 65536"),
                row("a truth of older YAML", rule("protocol: tcp, log: yes"),
                        "c:4 firewall.rules[0].log = yes: is neither true nor false (write true)"),
                row("a list for a value", "logging: { level: [info] }", "c:4 logging.level = [info]: is a list where one value is needed"),
                row("a value for a section", "timeouts: 10s", "c:4 timeouts = 10s: is one value where keys are needed"),
                row("a value for a list", "firewall: { rules: all }",
                        "c:4 firewall.rules = all: is one value where a list is needed (write lines such as"
                                + " \"- { name: web, from: inside, to: outside, protocol: tcp, ports: 443, action: allow }\")"),
                row("a rule that is no group of keys", "firewall: { rules: [ allow ] }",
                        "c:4 firewall.rules[0] = allow: is one value where keys are needed",
                        "c:4 firewall.rules[0].name: is missing (name the rule: logs, counters and sessions show it)",
                        "c:4 firewall.rules[0].action: is missing (write allow, drop or reject)"),
                row("a mistyped word", "firewall: { default: dorp }",
                        "c:4 firewall.default = dorp: is none of allow, drop, reject (did you mean drop?)"),
                row("a mistyped protocol", rule("protocol: tpc"),
                        "c:4 firewall.rules[0].protocol = tpc: is none of any, icmp, tcp, udp (did you mean tcp?)"),
                row("a protocol too exact", rule("protocol: icmpv6"),
                        "c:4 firewall.rules[0].protocol = icmpv6: is none of any, icmp, tcp, udp (icmp stands for both)"),
                row("a port beyond", rule("protocol: tcp, ports: [80, 80000]"),
                        "c:4 firewall.rules[0].ports[1] = 80000: ports are 1-65535"),
                row("a port by name", rule("protocol: tcp, ports: https"),
                        "c:4 firewall.rules[0].ports = https: is no port and no range of ports (write 443 or 8000-8100)"),
                row("a range backwards", rule("protocol: tcp, ports: 90-80"),
                        "c:4 firewall.rules[0].ports = 90-80: is a range that ends before it begins (did you mean 80-90?)"),
                row("ports of what has none", rule("protocol: icmp, ports: 80"),
                        "c:4 firewall.rules[0].ports = 80: icmp has no ports (set protocol to tcp, udp or [tcp, udp])"),
                row("ports of any protocol", rule("source-ports: 80"),
                        "c:4 firewall.rules[0].source-ports = 80: icmp has no ports (set protocol to tcp, udp or [tcp, udp])"),
                row("host bits", rule("source: 10.1.2.3/8"),
                        "c:4 firewall.rules[0].source = 10.1.2.3/8: has bits set outside its prefix (did you mean 10.0.0.0/8?)"),
                row("a prefix too long", rule("source: 10.0.0.0/33"),
                        "c:4 firewall.rules[0].source = 10.0.0.0/33: has a prefix length that is not 0-32"),
                row("a name for an address", rule("destination: [10.0.0.1, www.example.org]"),
                        "c:4 firewall.rules[0].destination[1] = www.example.org: is no IPv4 or IPv6 network (write 10.0.0.0/8, 10.0.0.7 or 2001:db8::/32)"),
                row("a negation that YAML takes for a tag",
                        "firewall:\n  rules:\n    - name: r\n      action: allow\n      source: !10.0.0.0/8\n",
                        "c:8 firewall.rules[0].source = !10.0.0.0/8: a value that starts with ! needs quotes (write \"!10.0.0.0/8\")"),
                row("two IP versions", rule("source: 10.0.0.0/8, destination: \"2001:db8::/32\""),
                        "c:4 firewall.rules[0].destination = 2001:db8::/32: is of another IP version than source: no packet can match both (make two rules of it)"),
                row("any and more", rule("source: [any, 10.0.0.0/8]"),
                        "c:4 firewall.rules[0].source = [any, 10.0.0.0/8]: any and other networks exclude each other (write any alone, or any with !exceptions)"),
                row("a zone without interface", rule("from: insid"),
                        "c:4 firewall.rules[0].from = insid: no interface is in this zone (did you mean inside?)"),
                row("a zone unlike all", rule("to: [inside, moon]"),
                        "c:4 firewall.rules[0].to = [inside, moon]: no interface is in zone moon (have: inside)"),
                row("a reset of what cannot be", rule("protocol: udp, on-timeout: reset"),
                        "c:4 firewall.rules[0].on-timeout = reset: only TCP sessions can be reset (remove it, or set protocol to tcp)"),
                row("a middle of what has none", rule("protocol: icmp, mid-stream: accept"),
                        "c:4 firewall.rules[0].mid-stream = accept: only TCP sessions have a middle (remove it, or set protocol to tcp)"),
                row("a timeout of nothing", "firewall: { rules: [ { name: r, action: drop, timeout: 5s } ] }",
                        "c:4 firewall.rules[0].timeout = 5s: counts only with action: allow (remove it)"),
                row("no action", "firewall: { rules: [ { name: r } ] }",
                        "c:4 firewall.rules[0].action: is missing (write allow, drop or reject)"),
                row("a name twice", "firewall: { rules: [ { name: r, action: drop },\n  { name: r, action: allow } ] }",
                        "c:5 firewall.rules[1].name = r: two rules have this name (the first on line 4) (rename one of them)"),
                row("a strange name", "firewall: { rules: [ { name: \"a b\", action: drop } ] }",
                        "c:4 firewall.rules[0].name = a b: is no name: 1-63 letters, digits, dots, hyphens, underscores, the first a letter or digit"),
                row("too little packet memory", "datapath: { packet-memory: 4MiB }",
                        "c:4 datapath.packet-memory = 4MiB: packets that are parked, deferred, under reassembly or waiting for a neighbour could fill more"
                                + " than half of it (set it to 28MiB, or lower limits.parked, limits.pending-neighbour or limits.fragments)"),
                row("too few workers", "datapath: { workers: 2 }",
                        "c:4 datapath.workers = 2: eth1 has 4 receive queues, and each needs a worker (workers: auto, or ethtool -L eth1 combined 2)"),
                row("a processor that is not there", "datapath: { cpus: [1, 9] }",
                        "c:4 datapath.cpus[1] = 9: is no processor that Ambo may use here (see `nproc --all`, and AllowedCPUs= of its systemd unit)"),
                row("a processor twice", "datapath: { cpus: [1, 2, 1] }",
                        "c:4 datapath.cpus[2] = 1: stands here twice (remove one of them)"),
                row("a translation to nothing", nat("from: inside"),
                        "c:4 nat[0].snat: is missing (write snat: ADDRESS to translate sources, or dnat: ADDRESS for destinations)"),
                row("a translation to both", nat("destination: 203.0.113.1, snat: 203.0.113.1, dnat: 10.0.0.5"),
                        "c:3 cluster.members: is missing (nat rule r gives out ports, and each member has its share: members: [a, b])\n"
                                + "c:4 nat[0].dnat = 10.0.0.5: a rule has snat or dnat, not both (make two rules of it)"),
                row("sources without members", nat("snat: 203.0.113.1"),
                        "c:3 cluster.members: is missing (nat rule r gives out ports, and each member has its share: members: [a, b])"),
                row("a pool too large", nat("snat: 203.0.0.0/16"),
                        "c:4 nat[0].snat = 203.0.0.0/16: is more than 256 addresses (take a smaller network: each address has 64,000 ports for each server)"),
                row("a destination unsaid", nat("dnat: 10.0.0.5"),
                        "c:4 nat[0].destination: is missing (name the address that clients use)"),
                row("a zone not known yet", nat("to: inside, destination: 203.0.113.1, dnat: 10.0.0.5"),
                        "c:4 nat[0].to = inside: counts only with snat: where the route leads is known after the destination is translated (remove it)"),
                row("another IP version", nat("destination: \"2001:db8::1\", dnat: 10.0.0.5"),
                        "c:4 nat[0].dnat = 10.0.0.5: is of another IP version than the packets that match"),
                row("no address to translate to", nat("destination: 203.0.113.1, dnat: web"),
                        "c:4 nat[0].dnat = web: is no IP address (write 10.1.0.5)"),
                row("tabs", "limits:\n\tsessions: 1",
                        "c:5: is not YAML: found character '\\t(TAB)' that cannot start any token (indent with spaces)"));
    }

    @ParameterizedTest(name = "{0}")
    @MethodSource("additions")
    void whatIsAddedIsRefusedInTheseWords(String shows, String addition, String problems) {
        assertThat(problems(GOOD + addition + "\n", new FakeHost())).as(shows).isEqualTo(problems);
    }

    static Stream<Arguments> replacements() {
        return Stream.of(
                row("an interface that is not there", "name: eth1", "name: eth9",
                        "c:2 interfaces[0].name = eth9: no such interface on this host (have: lo, sync, eth1, eth2, eth2.40)"),
                row("the loopback interface", "name: eth1", "name: lo",
                        "c:2 interfaces[0].name = lo: the loopback interface cannot be a data interface"),
                row("an interface twice", "zone: inside } ]", "zone: inside }, { name: eth1, zone: dmz } ]",
                        "c:2 interfaces[1].name = eth1: stands here twice (first on line 2) (remove one of them)"),
                row("a zone called any", "zone: inside", "zone: any",
                        "c:2 interfaces[0].zone = any: means all zones and cannot be the name of one"),
                row("no zone", ", zone: inside", "",
                        "c:2 interfaces[0].zone: is missing (name the zone that the interface belongs to: rules speak of zones)"),
                row("no interface", "[ { name: eth1, zone: inside } ]", "[]",
                        "c:2 interfaces = []: is missing (name at least one data interface and its zone: - { name: eth0, zone: inside })"),
                row("another parent than the kernel's", "name: eth1,", "name: eth2.40, parent: eth1, vlan: 40,",
                        "c:2 interfaces[0].parent = eth1: the kernel's parent of eth2.40 is eth2 (leave parent and vlan out)"),
                row("half a VLAN", "name: eth1,", "name: eth1, vlan: 7,",
                        "c:2 interfaces[0].vlan = 7: parent and vlan come together (give both, or neither: the kernel knows them)"),
                row("an address that is not here", "192.0.2.1", "192.0.2.99",
                        "c:3 cluster.bind-address = 192.0.2.99: is no address of this host (have: 192.0.2.1 on sync, 2001:db8:ff::1 on sync,"
                                + " 10.0.0.1 on eth1, 203.0.113.1 on eth2, 10.40.0.1 on eth2.40)"),
                row("a sync link that carries data", "192.0.2.1", "10.0.0.1",
                        "c:3 cluster.bind-address = 10.0.0.1: stands on eth1, which carries data: the sync link needs an interface of its own"),
                row("every address", "192.0.2.1", "0.0.0.0",
                        "c:3 cluster.bind-address = 0.0.0.0: is no address of one host (the sync link needs an address of its own)"),
                row("no address", "192.0.2.1", "here", "c:3 cluster.bind-address = here: is no IP address"),
                row("a mode that is none", "name: edge", "name: edge, mode: redirekt",
                        "c:3 cluster.mode = redirekt: is none of redirect, sync (did you mean redirect?)"),
                row("a group that is none", "name: edge", "name: edge, multicast: \"10.0.0.1:7800\"",
                        "c:3 cluster.multicast = 10.0.0.1:7800: is no multicast address (use one of 239.0.0.0/8 or ff02::/16)"),
                row("a group without port", "name: edge", "name: edge, multicast: 239.1.1.1",
                        "c:3 cluster.multicast = 239.1.1.1: is no address and port (write 192.0.2.1:7800 or [2001:db8::1]:7800)"),
                row("peers that do not count", "name: edge", "name: edge, peers: [\"192.0.2.2:7800\"]",
                        "c:3 cluster.peers = [192.0.2.2:7800]: counts only with transport: tcp (remove it, or set cluster.transport to tcp)"),
                row("tcp without peers", "name: edge", "name: edge, transport: tcp",
                        "c:3 cluster.peers: is missing (transport tcp needs the address and port of each member: [192.0.2.1:7800, 192.0.2.2:7800])"),
                row("a nervous heartbeat", "name: edge", "name: edge, heartbeat-timeout: 500ms",
                        "c:3 cluster.heartbeat-timeout = 500ms: the timeout is less than three heartbeats: one lost datagram would be taken for a death"
                                + " (heartbeat-timeout of 600ms or more)"),
                row("tombstones that a pause outlasts", "name: edge", "name: edge, process-timeout: 3m",
                        "c:3 cluster.process-timeout = 3m: a delta of a member that was paused as long as cluster.process-timeout allows would come"
                                + " after the tombstone, and revive a closed session (tombstone of 185s or more)"),
                row("a relative path", "/etc/ambo/cluster.key", "cluster.key",
                        "c:3 cluster.key-file = cluster.key: is no absolute path (start it with /)"),
                row("no key", ", key-file: /etc/ambo/cluster.key", "",
                        "c:3 cluster.key-file: is missing (members must share a key: head -c 48 /dev/urandom | base64 -w0 > /etc/ambo/cluster.key)"),
                row("no name", "name: a ", "control-group: ambo ",
                        "c:1 node.name: is missing (name this node, as its peers should see it)"),
                row("a group that is not there", "name: a ", "name: a, control-group: wizards ",
                        "c:1 node.control-group = wizards: no such group on this host (groupadd --system wizards)"));
    }

    @ParameterizedTest(name = "{0}")
    @MethodSource("replacements")
    void whatIsReplacedIsRefusedInTheseWords(String shows, String good, String bad, String problems) {
        assertThat(GOOD).contains(good);
        assertThat(problems(GOOD.replace(good, bad), new FakeHost())).as(shows).isEqualTo(problems);
    }

    @Test
    void aKeyFileIsJudgedByItsModeAndItsLength() {
        assertThat(problems(GOOD, new FakeHost().withKey(new FileFacts.Missing())))
                .isEqualTo("c:3 cluster.key-file = /etc/ambo/cluster.key: no such file"
                        + " (head -c 48 /dev/urandom | base64 -w0 > /etc/ambo/cluster.key, and copy it to every member)");
        assertThat(problems(GOOD, new FakeHost().withKey(new FileFacts.Unreadable("permission denied"))))
                .isEqualTo("c:3 cluster.key-file = /etc/ambo/cluster.key: cannot be read: permission denied");
        assertThat(problems(GOOD, new FakeHost().withKey(new FileFacts.Present(0644, 64))))
                .isEqualTo("c:3 cluster.key-file = /etc/ambo/cluster.key: everybody on this host may read or write it (mode 0644)"
                        + " (chmod 0600 /etc/ambo/cluster.key)");
        assertThat(problems(GOOD, new FakeHost().withKey(new FileFacts.Present(0640, 31))))
                .isEqualTo("c:3 cluster.key-file = /etc/ambo/cluster.key: holds a key of 31 bytes, 32 are needed"
                        + " (head -c 48 /dev/urandom | base64 -w0 > /etc/ambo/cluster.key)");
    }

    @Test
    void anMtuThatXdpCannotTakeIsNamed() {
        assertThat(problems(GOOD, new FakeHost().with("eth1", 9000, "", -1, 1, "10.0.0.1"))).isEqualTo(
                "c:2 interfaces[0].name = eth1: its MTU of 9000 is more than XDP can take (3498) (ip link set eth1 mtu 1500)");
        assertThat(problems(GOOD, new FakeHost().with("sync", 576, "", -1, 1, "192.0.2.1"))).isEqualTo(
                "c:3 cluster.bind-address = 192.0.2.1: the MTU of sync is 576, the sync link needs 1280 (ip link set sync mtu 1500)");
    }

    @Test
    void zonesWhoseNumbersCollideAreRefused() {
        // The two names have the same CRC-32C modulo 65535: found by search, kept by the test below.
        String[] twins = zonesWithOneNumber();
        String text = GOOD.replace("zone: inside } ]", "zone: " + twins[0] + " }, { name: eth2, zone: " + twins[1] + " } ]");
        assertThat(problems(text, new FakeHost())).contains("has the same number in session records as zone ")
                .contains("(rename one of them)");
    }

    @Test
    void allProblemsOfOneFileComeAtOnce() {
        String text = GOOD.replace("name: eth1", "name: eth9").replace("192.0.2.1", "x")
                + "fierwall: {}\nlimits: { sessions: many, parked: 0 }\n";
        assertThat(ConfigLoaderTest.refused(ConfigLoader.parse("c", text, new FakeHost())).problems()).extracting(Problem::line)
                .containsExactly(2, 3, 4, 5, 5);
    }

    @Test
    void tcpWithPeersIsAccepted() {
        String text = GOOD.replace("name: edge", "name: edge, transport: tcp, peers: [\"192.0.2.1:7800\", \"[2001:db8:ff::2]:7801\"]");
        Config config = ConfigLoaderTest.accepted(ConfigLoader.parse("c", text, new FakeHost()));
        assertThat(config.cluster().peers()).hasSize(2);
        assertThat(config.cluster().peers().get(1).getPort()).isEqualTo(7801);
    }

    @Test
    void theSocketsPathHasALimit() {
        String text = GOOD.replace("name: a ", "name: a, control-socket: /" + "x".repeat(110) + " ");
        assertThat(problems(text, new FakeHost())).contains("a socket's path has at most 103 bytes, this one has 111");
    }

    @Test
    void theHostIsNotAskedForAFileOfAnother() {
        ConfigLoaderTest
                .accepted(ConfigLoader.parse("c", GOOD.replace("eth1", "eth9").replace("192.0.2.1", "192.0.2.99"), HostFacts.UNKNOWN));
    }

    @Test
    void thisHostCanBeAsked() {
        HostFacts host = new LinuxHostFacts();
        assertThat(host.interfaces().values()).anyMatch(each -> each.name().equals("lo") && each.mtu() > 0);
        assertThat(host.file(Path.of("/no/such/file"))).isEqualTo(new FileFacts.Missing());
        assertThat(host.groupExists("root")).isTrue();
        assertThat(host.groupExists("no-such-group-here")).isFalse();
    }

    private static String[] zonesWithOneNumber() {
        java.util.Map<Integer, String> byNumber = new java.util.HashMap<>();
        for (int i = 0;; i++) {
            String name = "zone" + i;
            String other = byNumber.putIfAbsent(io.ambo.node.firewall.Names.zoneId(name), name);
            if (other != null) return new String[]{ other, name };
        }
    }

    private static String problems(String text, HostFacts host) {
        return String.join("\n",
                ConfigLoaderTest.refused(ConfigLoader.parse("c", text, host)).problems().stream().map(Problem::toString).toList());
    }

    /** A rule named r that allows, with these keys. */
    private static String rule(String keys) {
        return "firewall: { rules: [ { name: r, action: allow, " + keys + " } ] }";
    }

    private static String nat(String keys) { return "nat: [ { name: r, " + keys + " } ]"; }

    private static Arguments row(String shows, String addition, String problem, String... more) {
        return more.length == 0
                ? Arguments.of(shows, addition, problem)
                : more.length == 1
                        ? Arguments.of(shows, addition, problem, more[0])
                        : Arguments.of(shows, addition, problem + "\n" + String.join("\n", more));
    }
}
