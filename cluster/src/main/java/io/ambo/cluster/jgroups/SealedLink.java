package io.ambo.cluster.jgroups;

import io.ambo.cluster.membership.Transport.PacketRefusal;
import org.jgroups.Address;
import org.jgroups.PhysicalAddress;

/** A JGroups transport whose packets are sealed. The seal must be set before the channel connects. */
interface SealedLink {
    void seal(Seal seal, Refusals refusals);

    /** Hands an opened packet to JGroups. */
    void deliver(Address from, byte[] bytes, int offset, int length);

    /** Sends a packet as it is. */
    void sendSealed(PhysicalAddress to, byte[] packet) throws Exception;

    /** Who hears of packets that were refused. */
    interface Refusals {
        void onRefusedPacket(PacketRefusal refusal);

        void onStranger(Address from);
    }

    /** The seal's way out and up through a link. */
    record LinkPort(SealedLink link, Refusals refusals) implements Seal.Port<Address> {
        @Override
        public void deliver(Address from, byte[] bytes, int offset, int length) { link.deliver(from, bytes, offset, length); }

        @Override
        public void send(Address to, byte[] packet) {
            try {
                if (to instanceof PhysicalAddress physical) link.sendSealed(physical, packet);
            } catch (Exception e) {
                // The peer asks again.
                refusals.onRefusedPacket(PacketRefusal.UNPROVEN);
            }
        }

        @Override
        public void refused(PacketRefusal refusal) { refusals.onRefusedPacket(refusal); }

        @Override
        public void stranger(Address from) { refusals.onStranger(from); }
    }
}
