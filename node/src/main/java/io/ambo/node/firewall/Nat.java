package io.ambo.node.firewall;

import io.ambo.node.config.AddressMatch;
import io.ambo.node.packet.Ends;
import io.ambo.node.packet.PacketView;
import java.util.List;
import org.jspecify.annotations.Nullable;

/**
 * Which sessions are translated, and to what: a part of the {@link Policy}. Destinations are translated before the route is looked up and the rules of the
 * firewall are asked, sources after. First match decides, for each of the two on its own. Immutable.
 */
public final class Nat {
    public static final Nat NONE = new Nat(List.of());

    private final NatRule[] destinations;
    private final NatRule[] sources;

    public Nat(List<NatRule> rules) {
        destinations = rules.stream().filter(rule -> !rule.ofSource()).toArray(NatRule[]::new);
        sources = rules.stream().filter(NatRule::ofSource).toArray(NatRule[]::new);
    }

    public boolean translates() { return destinations.length + sources.length > 0; }

    /** The rule for the destination of a packet that would open a session. */
    public @Nullable NatRule destination(int fromZone, PacketView packet) {
        for (NatRule rule : destinations) {
            if (rule.isOf(packet.ipVersion()) && rule.match().matchesBeforeRoute(fromZone, packet.protocol(), packet.sourceHigh(),
                    packet.sourceLow(), packet.sourcePort(), packet.destinationHigh(), packet.destinationLow(), packet.destinationPort()))
                return rule;
        }
        return null;
    }

    /**
     * The rule for its source.
     *
     * @param ends its destination is translated already
     */
    public @Nullable NatRule source(int fromZone, int toZone, PacketView packet, Ends ends) {
        for (NatRule rule : sources) {
            if (rule.isOf(packet.ipVersion()) && rule.match().matches(fromZone, toZone, packet.protocol(), ends.sourceHigh(),
                    ends.sourceLow(), ends.sourcePort(), ends.destinationHigh(), ends.destinationLow(), ends.destinationPort()))
                return rule;
        }
        return null;
    }

    /** Sources become this address, so that packets to it are answers. */
    public boolean givesOut(long high, long low) {
        for (NatRule rule : sources) if (rule.hasInPool(high, low)) return true;
        return false;
    }

    /** Packets to this address are for the workers, even if the host has it: sources become it, or it becomes another. */
    public boolean takes(long high, long low) {
        if (givesOut(high, low)) return true;
        for (NatRule rule : destinations) {
            AddressMatch from = rule.match().destinations();
            if (!from.included().isEmpty() && from.matches(high, low)) return true;
        }
        return false;
    }
}
