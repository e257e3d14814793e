package io.ambo.node.config;

import io.ambo.cluster.ClusterSettings;
import io.ambo.cluster.address.IpAddress;
import io.ambo.node.redirect.Geneve;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.net.UnknownHostException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.EnumSet;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Set;
import java.util.TreeSet;
import java.util.regex.Pattern;
import org.jspecify.annotations.Nullable;

/**
 * Reads each section into its record. What does not need another section or the host to be judged is judged here; the rest is {@link ConfigChecks}'. After a
 * problem the record holds a default, and the whole is refused later.
 */
final class ConfigReader {
    static final String DEFAULT_STATE_DIR = "/var/lib/ambo";
    static final String DEFAULT_TABLE_DIR = "/dev/shm/ambo";
    static final String DEFAULT_PIN_DIR = "/sys/fs/bpf/ambo";
    private static final int FIRST_NAT_PORT = 1024, LARGEST_POOL_BITS = 8;
    private static final int CPU_MAX = 1023;
    private static final String DAY_LIMIT = "24d";
    private static final Pattern NAME = Pattern.compile("[A-Za-z0-9][A-Za-z0-9._-]{0,62}");
    private static final Pattern INTERFACE_NAME = Pattern.compile("[^\\s/:]{1,15}");
    private static final String NAME_RULE = "is no name: 1-63 letters, digits, dots, hyphens, underscores, the first a letter or digit";

    private final Reading reading;

    ConfigReader(Reading reading) { this.reading = reading; }

    Config read(Section root) {
        NodeConfig node = readNode(root.section("node"));
        List<InterfaceConfig> interfaces = readInterfaces(root.value("interfaces"));
        ClusterConfig cluster = readCluster(root.section("cluster"));
        FirewallConfig firewall = readFirewall(root.section("firewall"));
        List<NatConfig> nat = readNat(root.value("nat"));
        TimeoutConfig timeouts = readTimeouts(root.section("timeouts"));
        LimitConfig limits = readLimits(root.section("limits"), cluster.mode());
        DatapathConfig datapath = readDatapath(root.section("datapath"));
        LoggingConfig logging = readLogging(root.section("logging"));
        root.refuse("virtual-servers", "this version has no load balancing", "remove the section");
        List<FloatingConfig> addresses = new AddressReader(reading, this::name).addresses(root.value("addresses"));
        TrackingConfig tracking = new AddressReader(reading, this::name).tracking(root.section("tracking"));
        root.close();
        return new Config(node, interfaces, cluster, firewall, nat, timeouts, limits, datapath, logging, addresses, tracking);
    }

    private NodeConfig readNode(Section section) {
        String name = name(section.value("name"), "name this node, as its peers should see it");
        Path stateDir = path(section.value("state-dir"), DEFAULT_STATE_DIR);
        Path tableDir = path(section.value("table-dir"), DEFAULT_TABLE_DIR);
        Path pinDir = path(section.value("pin-dir"), DEFAULT_PIN_DIR);
        Path controlSocket = path(section.value("control-socket"), stateDir.resolve("control.sock").toString());
        String controlGroup = section.value("control-group").text("");
        int rehearsalMs = section.value("rehearsal").durationMs("8s", "0ms", "1m");
        section.close();
        return new NodeConfig(name, stateDir, tableDir, pinDir, controlSocket, controlGroup, rehearsalMs);
    }

    private List<InterfaceConfig> readInterfaces(Value value) {
        List<InterfaceConfig> interfaces = new ArrayList<>();
        for (Section section : value.sections("{ name: eth0, zone: inside }")) {
            String name = interfaceName(section.value("name"), true);
            String zone = zone(section.value("zone"));
            String parent = interfaceName(section.value("parent"), false);
            int vlan = section.value("vlan").count(-1, 1, 4094);
            section.close();
            interfaces.add(new InterfaceConfig(name, zone, parent, vlan));
        }
        if (interfaces.isEmpty() && !reading.isWrong(value.key())) {
            value.problem("is missing", "name at least one data interface and its zone: - { name: eth0, zone: inside }");
        }
        return interfaces;
    }

    private ClusterConfig readCluster(Section section) {
        String name = name(section.value("name"), "give the cluster a name, equal on all members");
        InetAddress bindAddress = bindAddress(section.value("bind-address"));
        Transport transport = section.value("transport").oneOf(Transport.class, Transport.UDP);
        int bindPort = section.value("bind-port").count(ClusterSettings.PORT, 1, 65_535);
        InetSocketAddress multicast = multicast(section.value("multicast"));
        List<InetSocketAddress> peers = peers(section.value("peers"));
        List<String> members = members(section.value("members"));
        ClusterSettings.Mode mode = section.value("mode").oneOf(ClusterSettings.Mode.class, ClusterSettings.Mode.SYNC);
        int redirectPort = section.value("redirect-port").count(Geneve.PORT, 1, 65_535);
        Path keyFile = keyFile(section.value("key-file"));
        long parkNs = section.value("park").durationNs("10ms", "0ms", "1s");
        long deferTimeoutNs = section.value("defer-timeout").durationNs("50ms", "1ms", "1s");
        int joinTimeoutMs = section.value("join-timeout").durationMs("1s", "100ms", "1m");
        int heartbeatMs = section.value("heartbeat").durationMs("200ms", "20ms", "10s");
        int heartbeatTimeoutMs = section.value("heartbeat-timeout").durationMs("1s", "60ms", "1m");
        int probeMs = section.value("probe").durationMs("20ms", "5ms", "1s");
        int probeTimeoutMs = section.value("probe-timeout").durationMs("150ms", "30ms", "10s");
        int processTimeoutMs = section.value("process-timeout").durationMs("10s", "1s", "10m");
        section.close();
        return new ClusterConfig(name, bindAddress, bindPort, transport, multicast, peers, members, mode, redirectPort, keyFile, parkNs,
                deferTimeoutNs,
                joinTimeoutMs,
                heartbeatMs, heartbeatTimeoutMs, probeMs, probeTimeoutMs, processTimeoutMs);
    }

    private FirewallConfig readFirewall(Section section) {
        Action defaultAction = section.value("default").oneOf(Action.class, Action.DROP);
        List<RuleConfig> rules = new ArrayList<>();
        for (Section rule : section.value("rules")
                .sections("{ name: web, from: inside, to: outside, protocol: tcp, ports: 443, action: allow }")) {
            rules.add(readRule(rule));
        }
        section.close();
        return new FirewallConfig(defaultAction, rules);
    }

    private RuleConfig readRule(Section section) {
        String name = name(section.value("name"), "name the rule: logs, counters and sessions show it");
        Set<String> from = zones(section.value("from"));
        Set<String> to = zones(section.value("to"));
        AddressMatch source = addresses(section.value("source"));
        AddressMatch destination = addresses(section.value("destination"));
        Set<Protocol> protocols = protocols(section.value("protocol"));
        List<PortRange> ports = ports(section.value("ports"));
        List<PortRange> sourcePorts = ports(section.value("source-ports"));
        Value actionValue = section.value("action");
        if (!actionValue.isPresent()) actionValue.problem("is missing", "write allow, drop or reject");
        Action action = actionValue.oneOf(Action.class, Action.DROP);
        boolean log = section.value("log").flag(false);
        int timeoutMs = section.value("timeout").durationMs("0s", "1s", DAY_LIMIT);
        OnTimeout onTimeout = section.value("on-timeout").oneOf(OnTimeout.class, OnTimeout.FORGET);
        MidStream midStream = section.value("mid-stream").oneOf(MidStream.class, MidStream.REFUSE);
        boolean defer = section.value("defer").flag(false);
        boolean fastPath = section.value("fast-path").flag(true);
        int maxSessions = section.value("max-sessions").count(0, 0, Integer.MAX_VALUE);
        int maxSessionsPerSource = section.value("max-sessions-per-source").count(0, 0, Integer.MAX_VALUE);
        section.close();
        return new RuleConfig(name, from, to, source, destination, protocols, ports, sourcePorts, action, log, timeoutMs, onTimeout,
                midStream,
                defer, fastPath, maxSessions, maxSessionsPerSource);
    }

    private List<NatConfig> readNat(Value value) {
        List<NatConfig> rules = new ArrayList<>();
        for (Section rule : value.sections("{ name: internet, from: inside, to: outside, snat: 203.0.113.10 }"))
            rules.add(readNatRule(rule));
        return rules;
    }

    private NatConfig readNatRule(Section section) {
        String name = name(section.value("name"), "name the rule: logs show it");
        Set<String> from = zones(section.value("from"));
        Set<String> to = zones(section.value("to"));
        AddressMatch source = addresses(section.value("source"));
        AddressMatch destination = addresses(section.value("destination"));
        Set<Protocol> protocols = protocols(section.value("protocol"));
        List<PortRange> ports = ports(section.value("ports"));
        Value snatValue = section.value("snat");
        Cidr snat = pool(snatValue);
        List<PortRange> given = ports(section.value("snat-ports"));
        if (given.size() > 1) section.value("snat-ports").problem("is more than one range", "write one: 1024-65535");
        Value dnatValue = section.value("dnat");
        IpAddress dnat = dnatValue.isPresent() ? IpAddress.parse(dnatValue.text("")) : null;
        if (dnatValue.isPresent() && dnat == null && !reading.isWrong(dnatValue.key()))
            dnatValue.problem("is no IP address", "write 10.1.0.5");
        int dnatPort = section.value("dnat-port").count(0, 1, 65_535);
        if (snatValue.isPresent() == dnatValue.isPresent()) {
            (snatValue.isPresent() ? dnatValue : snatValue).problem(
                    snatValue.isPresent() ? "a rule has snat or dnat, not both" : "is missing",
                    snatValue.isPresent()
                            ? "make two rules of it"
                            : "write snat: ADDRESS to translate sources, or dnat: ADDRESS for destinations");
        }
        section.close();
        PortRange snatPorts = given.isEmpty() ? new PortRange(FIRST_NAT_PORT, 65_535) : given.get(0);
        return new NatConfig(name, from, to, source, destination, protocols, ports, snat, snatPorts, dnat, dnatPort);
    }

    private @Nullable Cidr pool(Value value) {
        if (!value.isPresent()) return null;
        try {
            Cidr pool = Cidr.parse(value.text(""));
            if (128 - pool.prefixLength() <= LARGEST_POOL_BITS) return pool;
            value.problem("is more than " + (1 << LARGEST_POOL_BITS) + " addresses",
                    "take a smaller network: each address has 64,000 ports for each server");
        } catch (Cidr.FormatException e) {
            if (!reading.isWrong(value.key())) value.problem(String.valueOf(e.getMessage()), e.remedy());
        }
        return null;
    }

    private List<String> members(Value value) {
        List<String> members = new ArrayList<>();
        for (Value item : value.items()) {
            String member = name(item, "the name of a member");
            if (!reading.isWrong(item.key()) && members.contains(member)) item.problem("stands here twice", "remove one of them");
            members.add(member);
        }
        return members;
    }

    private static TimeoutConfig readTimeouts(Section section) {
        Section tcp = section.section("tcp");
        int opening = tcp.value("opening").durationMs("30s", "1s", "1h");
        int established = tcp.value("established").durationMs("2h", "1s", DAY_LIMIT);
        int closing = tcp.value("closing").durationMs("2m", "1s", DAY_LIMIT);
        int closed = tcp.value("closed").durationMs("10s", "1s", "1h");
        tcp.close();
        Section udp = section.section("udp");
        int single = udp.value("single").durationMs("30s", "1s", DAY_LIMIT);
        int multiple = udp.value("multiple").durationMs("2m", "1s", DAY_LIMIT);
        udp.close();
        int icmp = section.value("icmp").durationMs("10s", "1s", DAY_LIMIT);
        int tombstone = section.value("tombstone").durationMs("2m", "10s", "1h");
        section.close();
        return new TimeoutConfig(opening, established, closing, closed, single, multiple, icmp, tombstone);
    }

    private static LimitConfig readLimits(Section section, ClusterSettings.Mode mode) {
        int sessions = section.value("sessions").count(1_000_000, 1, 50_000_000);
        int perSource = section.value("sessions-per-source").count(0, 0, Integer.MAX_VALUE);
        int parked = section.value("parked").count(1024, 1, 65_536);
        int pendingNeighbour = section.value("pending-neighbour").count(512, 1, 65_536);
        int fragments = section.value("fragments").count(1024, 1, 65_536);
        int flows = section.value("flows").count(131_072, 1, 20_000_000);
        int redirects = section.value("redirects-per-second").count(mode == ClusterSettings.Mode.SYNC ? 10_000 : 200_000, 0, 1_000_000);
        int icmpErrors = section.value("icmp-errors-per-second").count(1000, 0, 1_000_000);
        section.close();
        return new LimitConfig(sessions, perSource, parked, pendingNeighbour, fragments, icmpErrors, redirects, flows);
    }

    private DatapathConfig readDatapath(Section section) {
        Value workersValue = section.value("workers");
        boolean auto = workersValue.text("auto").equals("auto");
        int workers = auto ? DatapathConfig.WORKERS_AUTO : workersValue.count(DatapathConfig.WORKERS_AUTO, 1, 64);
        List<Integer> cpus = cpus(section.value("cpus"));
        XdpMode xdpMode = section.value("xdp-mode").oneOf(XdpMode.class, XdpMode.AUTO);
        Value memoryValue = section.value("packet-memory");
        int memory = memoryValue.size("32MiB", "4MiB", "1GiB");
        if (memory % (1 << 20) != 0) memoryValue.problem("is no multiple of 1MiB", "");
        boolean fastPath = section.value("fast-path").flag(true);
        int fastPathAfter = section.value("fast-path-after").count(8, 1, 1_000_000);
        int surviveMs = section.value("survive").durationMs("10m", "1s", DAY_LIMIT);
        section.close();
        return new DatapathConfig(workers, cpus, xdpMode, memory, fastPath, fastPathAfter, surviveMs);
    }

    private List<Integer> cpus(Value value) {
        List<Integer> cpus = new ArrayList<>();
        for (Value item : value.items()) {
            int cpu = item.count(0, 0, CPU_MAX);
            if (!reading.isWrong(item.key()) && cpus.contains(cpu)) item.problem("stands here twice", "remove one of them");
            cpus.add(cpu);
        }
        return cpus;
    }

    private static LoggingConfig readLogging(Section section) {
        LogLevel level = section.value("level").oneOf(LogLevel.class, LogLevel.INFO);
        int lines = section.value("rule-lines-per-second").count(100, 0, 100_000);
        section.close();
        return new LoggingConfig(level, lines);
    }

    private String name(Value value, String remedy) {
        String name = value.requiredText(remedy);
        if (!reading.isWrong(value.key()) && !NAME.matcher(name).matches()) value.problem(NAME_RULE, "");
        return name;
    }

    private String zone(Value value) {
        String zone = name(value, "name the zone that the interface belongs to: rules speak of zones");
        if (zone.equals("any")) value.problem("means all zones and cannot be the name of one", "");
        return zone;
    }

    private String interfaceName(Value value, boolean required) {
        String name = required ? value.requiredText("the kernel's name: ip link shows it") : value.text("");
        if (value.isPresent() && !reading.isWrong(value.key())) {
            if (!INTERFACE_NAME.matcher(name).matches())
                value.problem("is no interface name: 1-15 characters without space, slash and colon", "");
            else if (name.equals("lo")) value.problem("the loopback interface cannot be a data interface", "");
        }
        return name;
    }

    private Path path(Value value, String otherwise) {
        String text = value.text(otherwise);
        if (text.indexOf('\0') >= 0) {
            value.problem("is no path", "");
        } else if (!text.startsWith("/")) {
            if (!reading.isWrong(value.key())) value.problem("is no absolute path", "start it with /");
        } else {
            return Path.of(text).normalize();
        }
        return Path.of(otherwise.startsWith("/") ? otherwise : DEFAULT_STATE_DIR);
    }

    private Path keyFile(Value value) {
        if (!value.isPresent()) {
            value.problem("is missing", "members must share a key: head -c 48 /dev/urandom | base64 -w0 > /etc/ambo/cluster.key");
        }
        return path(value, "/etc/ambo/cluster.key");
    }

    private InetAddress bindAddress(Value value) {
        String text = value.requiredText("this host's address on the sync link");
        IpAddress address = IpAddress.parse(text);
        if (address == null) {
            if (!reading.isWrong(value.key())) value.problem("is no IP address", "");
            return InetAddress.getLoopbackAddress();
        }
        InetAddress bindAddress = inetAddress(address);
        if (bindAddress.isAnyLocalAddress() || bindAddress.isMulticastAddress()) {
            value.problem("is no address of one host", "the sync link needs an address of its own");
        }
        return bindAddress;
    }

    private InetSocketAddress multicast(Value value) {
        InetSocketAddress group = endpoint(value, "239.255.67.1:" + ClusterSettings.PORT);
        if (!reading.isWrong(value.key()) && !group.getAddress().isMulticastAddress()) {
            value.problem("is no multicast address", "use one of 239.0.0.0/8 or ff02::/16");
        }
        return group;
    }

    private List<InetSocketAddress> peers(Value value) {
        List<InetSocketAddress> peers = new ArrayList<>();
        for (Value item : value.items()) {
            InetSocketAddress peer = endpoint(item, "127.0.0.1:" + ClusterSettings.PORT);
            if (!reading.isWrong(item.key()) && peers.contains(peer)) item.problem("stands here twice", "remove one of them");
            peers.add(peer);
        }
        return peers;
    }

    /** {@code address:port}, IPv6 in brackets. */
    private InetSocketAddress endpoint(Value value, String otherwise) {
        @Nullable
        InetSocketAddress endpoint = parseEndpoint(value.text(otherwise));
        if (endpoint != null) return endpoint;
        if (!reading.isWrong(value.key())) value.problem("is no address and port", "write 192.0.2.1:7800 or [2001:db8::1]:7800");
        InetSocketAddress fallback = parseEndpoint(otherwise);
        if (fallback == null) throw new IllegalStateException(otherwise);
        return fallback;
    }

    private static @Nullable InetSocketAddress parseEndpoint(String text) {
        int colon = text.lastIndexOf(':');
        if (colon < 0) return null;
        String host = text.substring(0, colon);
        boolean bracketed = host.startsWith("[") && host.endsWith("]") && host.length() > 2;
        IpAddress address = IpAddress.parse(bracketed ? host.substring(1, host.length() - 1) : host);
        if (address == null || bracketed == address.isIpv4()) return null;
        try {
            long port = Units.parseCount(text.substring(colon + 1));
            return port < 1 || port > 65_535 ? null : new InetSocketAddress(inetAddress(address), (int) port);
        } catch (Units.FormatException e) {
            return null;
        }
    }

    private Set<String> zones(Value value) {
        Set<String> zones = new LinkedHashSet<>();
        boolean any = false;
        for (Value item : value.items()) {
            String zone = item.text("");
            if (reading.isWrong(item.key())) continue;
            if (zone.equals("any")) any = true;
            else if (!zones.add(zone)) item.problem("stands here twice", "remove one of them");
        }
        if (any && !zones.isEmpty()) value.problem("any and other zones exclude each other", "write any alone");
        if (value.isPresent() && !any && zones.isEmpty() && !reading.isWrong(value.key()))
            value.problem("names no zone", "write any for all");
        return zones;
    }

    private AddressMatch addresses(Value value) {
        List<Cidr> included = new ArrayList<>();
        List<Cidr> excluded = new ArrayList<>();
        boolean any = false;
        for (Value item : value.items()) {
            String text = item.text("");
            if (reading.isWrong(item.key())) continue;
            if (text.equals("any")) {
                any = true;
                continue;
            }
            boolean negated = text.startsWith("!");
            try {
                (negated ? excluded : included).add(Cidr.parse((negated ? text.substring(1) : text).strip()));
            } catch (Cidr.FormatException e) {
                item.problem(String.valueOf(e.getMessage()), e.remedy());
            }
        }
        if (any && !included.isEmpty())
            value.problem("any and other networks exclude each other", "write any alone, or any with !exceptions");
        if (value.isPresent() && !any && included.isEmpty() && excluded.isEmpty() && !reading.isWrong(value.key())) {
            value.problem("names no network", "write any for all");
        }
        return new AddressMatch(included, excluded);
    }

    private Set<Protocol> protocols(Value value) {
        Set<Protocol> protocols = EnumSet.noneOf(Protocol.class);
        boolean any = !value.isPresent();
        for (Value item : value.items()) {
            if (item.text("").equals("any")) {
                any = true;
                continue;
            }
            if (reading.isWrong(item.key())) continue;
            String word = item.text("");
            Protocol found = null;
            Set<String> known = new TreeSet<>(Set.of("any"));
            for (Protocol protocol : Protocol.values()) {
                known.add(Units.word(protocol));
                if (Units.word(protocol).equals(word)) found = protocol;
            }
            if (found != null) protocols.add(found);
            else
                item.problem("is none of " + String.join(", ", known),
                        word.equalsIgnoreCase("icmpv6") ? "icmp stands for both" : Value.didYouMean(word, known));
        }
        if (any && !protocols.isEmpty()) value.problem("any and other protocols exclude each other", "write any alone");
        if (!any && protocols.isEmpty() && !reading.isWrong(value.key())) value.problem("names no protocol", "write any for all");
        return any || protocols.isEmpty() ? EnumSet.allOf(Protocol.class) : protocols;
    }

    private List<PortRange> ports(Value value) {
        List<PortRange> ports = new ArrayList<>();
        for (Value item : value.items()) {
            String text = item.text("");
            if (reading.isWrong(item.key())) continue;
            int hyphen = text.indexOf('-');
            int first = port(hyphen < 0 ? text : text.substring(0, hyphen));
            int last = hyphen < 0 ? first : port(text.substring(hyphen + 1));
            if (first == NOT_A_NUMBER || last == NOT_A_NUMBER) item.problem("is no port and no range of ports", "write 443 or 8000-8100");
            else if (first < 1 || last > 65_535) item.problem("ports are 1-65535", "");
            else if (last < first) item.problem("is a range that ends before it begins", "did you mean " + last + "-" + first + "?");
            else
                ports.add(new PortRange(first, last));
        }
        if (value.isPresent() && ports.isEmpty() && !reading.isWrong(value.key()))
            value.problem("names no port", "leave the key out for all ports");
        return ports;
    }

    private static final int NOT_A_NUMBER = -1;

    private static int port(String text) {
        try {
            return (int) Math.min(Units.parseCount(text.strip()), 65_536);
        } catch (Units.FormatException e) {
            return NOT_A_NUMBER;
        }
    }

    private static InetAddress inetAddress(IpAddress address) {
        try {
            return InetAddress.getByAddress(address.toBytes());
        } catch (UnknownHostException e) {
            throw new IllegalStateException(address.toString(), e);
        }
    }
}
