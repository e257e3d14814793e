package io.ambo.hatests.drill;

import io.ambo.hatests.lab.Lab;
import io.ambo.hatests.lab.LabNode;
import io.ambo.hatests.lab.Policy;

/** What goes wrong on the sync link: rules of nftables on the host that would receive. This kernel has no netem. */
final class SyncFaults {
    static final int ICMP_SECONDS = 2;
    /** Of all drills about the sync link, so that they share a lab. Their datagram sessions do not end by themselves. */
    static final Policy POLICY = Policy.OPEN.with("""
            timeouts:
              udp: { single: 30m, multiple: 30m }
              icmp: %ds
              tcp: { closed: 1s }
            limits:
              sessions-per-source: 0
            """.formatted(ICMP_SECONDS));
    static final Lab.Shape SHAPE = Lab.Shape.PAIR.withOwnClocks();
    private static final String TABLE = "drill_sync";

    private SyncFaults() {}

    /** Of what comes over the sync link, so many packets in a hundred are lost on their way into this host. */
    static void lose(LabNode receiver, int percent) {
        mend(receiver);
        String which = percent >= 100 ? "" : "numgen random mod 100 < " + percent + " ";
        receiver.host().run("nft", "add table inet " + TABLE + " { chain lost { type filter hook input priority -300; iifname \"sync\" "
                + which + "drop; }; }");
    }

    static void mend(LabNode receiver) {
        // Adding makes deleting sound where there is nothing.
        receiver.host().run("nft", "add table inet " + TABLE + "; delete table inet " + TABLE);
    }
}
