package io.ambo.node.config;

import io.ambo.cluster.address.IpAddress;
import io.ambo.node.config.HostFacts.HostInterface;
import java.net.InetAddress;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;

/** Floating addresses and what is tracked for them, judged with the whole config and the host in view. */
final class AddressChecks {
    private final Config config;
    private final HostFacts host;
    private final Reading reading;

    AddressChecks(Config config, HostFacts host, Reading reading) {
        this.config = config;
        this.host = host;
        this.reading = reading;
    }

    void run() {
        Map<IpAddress, Integer> firstByAddress = new HashMap<>();
        for (int i = 0; i < config.addresses().size(); i++) {
            FloatingConfig each = config.addresses().get(i);
            String key = "addresses[" + i + "]";
            Integer first = firstByAddress.putIfAbsent(each.address(), i);
            if (first != null) {
                problem(key + ".address", "stands here twice (first on line " + reading.line("addresses[" + first + "].address") + ")",
                        "remove one of them");
            } else if (each.address().equals(IpAddress.ofBytes(config.cluster().bindAddress().getAddress()))) {
                problem(key + ".address", "is this host's address on the sync link, which stays", "");
            }
            List<String> members = config.cluster().members();
            if (!each.prefer().isEmpty() && !members.isEmpty() && !members.contains(each.prefer())) {
                String meant = Value.didYouMean(each.prefer(), Set.copyOf(members));
                problem(key + ".prefer", "is no member of the cluster", meant.isEmpty() ? "have: " + String.join(", ", members) : meant);
            }
            if (isDataInterface(each.interfaceName(), key + ".interface") && host.isKnown()) checkOwnAddress(each, key);
        }
        TrackingConfig tracking = config.tracking();
        for (String name : tracking.interfaces()) isDataInterface(name, "tracking.interfaces");
        Set<TrackingConfig.Neighbour> seen = new HashSet<>();
        for (int i = 0; i < tracking.reachability().size(); i++) {
            TrackingConfig.Neighbour each = tracking.reachability().get(i);
            String key = "tracking.reachability[" + i + "]";
            isDataInterface(each.interfaceName(), key + ".interface");
            if (!seen.add(each)) problem(key + ".address", "stands here twice", "remove one of them");
            if (firstByAddress.containsKey(each.address()))
                problem(key + ".address", "is a floating address: a node that has it would ask itself",
                        "take the address of a host beyond, such as the upstream router");
        }
    }

    private boolean isDataInterface(String name, String key) {
        if (reading.isWrong(key) || reading.isWrong("interfaces")) return false;
        List<String> names = config.interfaces().stream().map(InterfaceConfig::name).toList();
        if (names.contains(name)) return true;
        problem(key, name.isEmpty() ? "names no interface" : name + " is no data interface", "have: " + String.join(", ", names));
        return false;
    }

    /** A node without the address still needs the route to its network, and something to ask its neighbours from. */
    private void checkOwnAddress(FloatingConfig floating, String key) {
        HostInterface actual = host.interfaces().get(floating.interfaceName());
        int longest = floating.address().isIpv4() ? 32 : 128;
        if (actual == null || floating.prefixLength() == longest || reading.isWrong(key)) return;
        Cidr network = Cidr.of(floating.address(), floating.prefixLength() + 128 - longest);
        for (InetAddress each : actual.addresses()) {
            IpAddress own = IpAddress.ofBytes(each.getAddress());
            if (own != null && network.contains(own.high(), own.low()) && !isFloating(own)) return;
        }
        problem(key + ".address",
                floating.interfaceName() + " has no other address of its network, so a node that does not have it has no route there",
                "give each node an address of its own there, or write the address with /" + longest);
    }

    private boolean isFloating(IpAddress address) { return config.addresses().stream().anyMatch(each -> each.address().equals(address)); }

    private void problem(String key, String rule, String remedy) { if (!reading.isWrong(key)) reading.problem(key, rule, remedy); }
}
