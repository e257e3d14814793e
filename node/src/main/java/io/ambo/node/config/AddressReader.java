package io.ambo.node.config;

import io.ambo.cluster.address.IpAddress;
import io.ambo.cluster.membership.NodeState;
import java.util.ArrayList;
import java.util.List;
import java.util.Objects;
import java.util.function.BiFunction;
import org.jspecify.annotations.Nullable;

/** Reads the sections addresses and tracking. */
final class AddressReader {
    private static final IpAddress NOWHERE = Objects.requireNonNull(IpAddress.parse("0.0.0.0"));

    private final Reading reading;
    private final BiFunction<Value, String, String> names;

    /** @param names reads a name, with what to do when it is missing */
    AddressReader(Reading reading, BiFunction<Value, String, String> names) {
        this.reading = reading;
        this.names = names;
    }

    List<FloatingConfig> addresses(Value value) {
        List<FloatingConfig> addresses = new ArrayList<>();
        for (Section section : value.sections("{ address: 203.0.113.1/24, interface: eth2, prefer: a }")) {
            Value addressValue = section.value("address");
            String text = addressValue.requiredText("an address and its prefix length: 203.0.113.1/24");
            int slash = text.indexOf('/');
            IpAddress address = usable(addressValue, slash < 0 ? text : text.substring(0, slash), "write 203.0.113.1/24 or 2001:db8::1/64");
            int prefixLength = prefixLength(addressValue, address, slash < 0 ? "" : text.substring(slash + 1));
            String interfaceName = section.value("interface").requiredText("the data interface that it stands on");
            Value preferValue = section.value("prefer");
            String prefer = preferValue.isPresent() ? names.apply(preferValue, "the name of a member") : "";
            section.close();
            addresses.add(new FloatingConfig(address == null ? NOWHERE : address, prefixLength, interfaceName, prefer));
        }
        if (addresses.size() > NodeState.MOST_ADDRESSES)
            value.problem("has more than " + NodeState.MOST_ADDRESSES + " addresses", "route a network to one of them instead");
        return addresses;
    }

    TrackingConfig tracking(Section section) {
        List<String> interfaces = new ArrayList<>();
        for (Value item : section.value("interfaces").items()) interfaces.add(item.text(""));
        List<TrackingConfig.Neighbour> reachability = new ArrayList<>();
        for (Section each : section.value("reachability").sections("{ address: 203.0.113.254, interface: eth2 }")) {
            Value addressValue = each.value("address");
            IpAddress address = usable(addressValue, addressValue.requiredText("the address of a neighbour, such as the upstream router"),
                    "write 203.0.113.254 or 2001:db8::fe");
            String interfaceName = each.value("interface").requiredText("the data interface that it is reached by");
            each.close();
            reachability.add(new TrackingConfig.Neighbour(address == null ? NOWHERE : address, interfaceName));
        }
        int intervalMs = section.value("interval").durationMs("200ms", "20ms", "10s");
        int misses = section.value("misses").count(3, 2, 100);
        section.close();
        return new TrackingConfig(interfaces, reachability, intervalMs, misses);
    }

    /** An address that a host can have; null when the text is something else, which is then reported. */
    private @Nullable IpAddress usable(Value value, String text, String remedy) {
        IpAddress address = IpAddress.parse(text);
        if (reading.isWrong(value.key())) return address;
        if (address == null) {
            value.problem("is no IP address", remedy);
            return null;
        }
        int first = address.toBytes()[0] & 0xFF;
        boolean nobodys = address.isIpv4()
                ? first == 0 || first == 127 || first >= 224
                : first == 0xFF || address.high() >>> 54 == 0xFE80 >> 6 || (address.high() == 0 && address.low() >>> 32 == 0);
        if (nobodys) value.problem("is no address that a host can have on a network", remedy);
        return address;
    }

    private int prefixLength(Value value, @Nullable IpAddress address, String text) {
        int longest = address == null || !address.isIpv4() ? 128 : 32;
        if (address == null || reading.isWrong(value.key())) return longest;
        try {
            long length = text.isEmpty() ? -1 : Units.parseCount(text);
            if (length >= 1 && length <= longest) return (int) length;
        } catch (Units.FormatException e) {
            // Said below.
        }
        value.problem(text.isEmpty() ? "has no prefix length" : "has a prefix length that is not 1-" + longest,
                "write " + address + "/" + (longest == 32 ? "24" : "64") + ", or /" + longest + " for an address alone");
        return longest;
    }
}
