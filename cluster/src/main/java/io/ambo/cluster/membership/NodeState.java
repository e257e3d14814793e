package io.ambo.cluster.membership;

import io.ambo.cluster.address.IpAddress;
import java.util.List;
import java.util.Set;
import org.jspecify.annotations.Nullable;

/**
 * What a member says of itself, a few times a second and at once when it changes. The latest counts; any may be lost.
 *
 * @param run            random, new with each start of the process
 * @param number         grows within a run
 * @param open           its gate is open: its table is equal to the others'
 * @param draining       its operator wants it to be left alone
 * @param leaving        it is stopping
 * @param syncAddress    where its kernel answers probes
 * @param settingsDigest of the settings that must be equal on all members
 * @param drainingKnown  node ids of the members that it knows to be draining: such a member waits for this
 * @param addresses      the floating addresses of its config
 */
public record NodeState(long run, long number, boolean open, boolean draining, boolean leaving, IpAddress syncAddress, int settingsDigest,
        Set<Integer> drainingKnown, List<AddressState> addresses) {

    /** More floating addresses than this a config cannot have. */
    public static final int MOST_ADDRESSES = 256;

    /**
     * How a member stands to one address.
     *
     * @param linked its interface for this address has a link
     * @param fit    what it tracks for this address is there
     * @param held   it has the address
     * @param mac    of that interface, the low 48 bits
     */
    public record AddressState(IpAddress address, boolean linked, boolean fit, boolean held, long mac) {}

    public NodeState {
        drainingKnown = Set.copyOf(drainingKnown);
        addresses = List.copyOf(addresses);
        if (addresses.size() > MOST_ADDRESSES) throw new IllegalArgumentException(addresses.size() + " addresses");
    }

    /** What it says of one address; null when its config does not have it. */
    public @Nullable AddressState of(IpAddress address) {
        for (AddressState each : addresses) if (each.address().equals(address)) return each;
        return null;
    }
}
