package io.ambo.cluster.jgroups;

import java.io.DataInput;
import java.io.IOException;
import java.util.Objects;
import org.jgroups.Address;
import org.jgroups.PhysicalAddress;
import org.jgroups.protocols.TCP;
import org.jspecify.annotations.Nullable;

/** JGroups' TCP with every message sealed, as {@link SealedUdp}. Public for JGroups, which makes it by name. */
public final class SealedTcp extends TCP implements SealedLink {
    /** A fragment (see frag_size in tcp.xml), its headers and its envelope are shorter. */
    private static final int LONGEST_PACKET = 80 * 1024;

    private @Nullable Seal seal;
    private @Nullable LinkPort port;

    @Override
    public void seal(Seal newSeal, Refusals refusals) {
        seal = newSeal;
        port = new LinkPort(this, refusals);
    }

    /** Each message to each member comes by here, those to all too. */
    @Override
    public void sendUnicast(PhysicalAddress dest, byte[] data, int offset, int length) throws Exception {
        byte[] packet = required().seal(data, offset, length);
        super.sendUnicast(dest, packet, 0, packet.length);
    }

    @Override
    public void receive(Address sender, byte[] data, int offset, int length) {
        LinkPort out = port;
        if (out != null && data != null) required().open(sender, data, offset, length, out);
    }

    @Override
    public void receive(Address sender, DataInput in, int length) throws Exception {
        if (length < Seal.OVERHEAD || length > LONGEST_PACKET) throw new IOException("a packet of " + length + " bytes");
        byte[] packet = new byte[length];
        in.readFully(packet);
        receive(sender, packet, 0, length);
    }

    @Override
    public void deliver(Address from, byte[] bytes, int offset, int length) { super.receive(from, bytes, offset, length); }

    @Override
    public void sendSealed(PhysicalAddress to, byte[] packet) throws Exception { super.sendUnicast(to, packet, 0, packet.length); }

    private Seal required() { return Objects.requireNonNull(seal, "the seal is set before connect"); }
}
