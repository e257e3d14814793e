package io.ambo.node.addresses;

import io.ambo.cluster.membership.Standing;
import java.util.List;

/**
 * What the address keeper knows, a moment ago. Immutable.
 *
 * @param draining  this node drains
 * @param knownToAll every peer that speaks knows that it does
 */
public record AddressReport(List<Row> rows, List<PeerRow> peers, boolean draining, boolean knownToAll) {

    /**
     * One floating address.
     *
     * @param text      as it is configured: 203.0.113.1/24
     * @param prefer    empty: nobody
     * @param held      this node has it
     * @param holders   names of the nodes that have it, as far as known
     * @param reason    why it is here, or is not
     * @param obstacles what this node lacks to be a good place for it
     */
    public record Row(String text, String interfaceName, String prefer, boolean held, List<String> holders, String reason,
            List<String> obstacles) {}

    /**
     * A peer.
     *
     * @param unproven its kernel has never answered a probe
     */
    public record PeerRow(String name, Standing standing, long hostSilenceMs, long processSilenceMs, boolean unproven, boolean draining) {}
}
