package io.ambo.cluster.jgroups;

import io.ambo.cluster.ClusterKey;
import io.ambo.cluster.membership.Transport.PacketRefusal;
import java.security.SecureRandom;
import org.jspecify.annotations.Nullable;

/** A sync link that ends where it begins: what goes in is sealed with a key of the moment, opened, and comes out. For rehearsals. One thread. */
public final class SealedLoop {
    private final SecureRandom random = new SecureRandom();
    private final Seal here;
    private final Seal there;
    private byte @Nullable [] opened;

    public SealedLoop() {
        byte[] secret = new byte[ClusterKey.SHORTEST];
        // Neither a line's end nor white space at the ends.
        for (int i = 0; i < secret.length; i++) secret[i] = (byte) ('a' + random.nextInt(26));
        ClusterKey key = ClusterKey.of(secret);
        here = new Seal(key, "rehearsal", random, System::nanoTime);
        there = new Seal(key, "rehearsal", random, System::nanoTime);
    }

    /** @return the same bytes, after they have been through both seals; null while the two do not know each other yet */
    public byte @Nullable [] pass(byte[] bytes, int offset, int length) {
        opened = null;
        byte[] packet = here.seal(bytes, offset, length);
        there.open(this, packet, 0, packet.length, new End(there, here));
        return opened;
    }

    /** What a seal sends of its own goes straight to the other. */
    private final class End implements Seal.Port<SealedLoop> {
        private final Seal own;
        private final Seal other;

        End(Seal own, Seal other) {
            this.own = own;
            this.other = other;
        }

        @Override
        public void deliver(SealedLoop from, byte[] bytes, int offset, int length) { opened = bytes; }

        @Override
        public void send(SealedLoop to, byte[] packet) {
            other.open(to, packet, 0, packet.length, new End(/* own= */ other, /* other= */ own));
        }

        @Override
        public void refused(PacketRefusal refusal) {}

        @Override
        public void stranger(SealedLoop from) {}
    }
}
