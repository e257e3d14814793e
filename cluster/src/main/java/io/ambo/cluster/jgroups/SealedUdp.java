package io.ambo.cluster.jgroups;

import java.util.Objects;
import org.jgroups.Address;
import org.jgroups.PhysicalAddress;
import org.jgroups.protocols.UDP;
import org.jspecify.annotations.Nullable;

/** JGroups' UDP with every datagram sealed, so that JGroups parses nothing that a member has not sent. Public for JGroups, which makes it by name. */
public final class SealedUdp extends UDP implements SealedLink {
    private @Nullable Seal seal;
    private @Nullable LinkPort port;

    @Override
    public void seal(Seal newSeal, Refusals refusals) {
        seal = newSeal;
        port = new LinkPort(this, refusals);
    }

    @Override
    public void sendToAll(byte[] data, int offset, int length) throws Exception {
        byte[] packet = required().seal(data, offset, length);
        super.sendToAll(packet, 0, packet.length);
    }

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
    public void deliver(Address from, byte[] bytes, int offset, int length) { super.receive(from, bytes, offset, length); }

    @Override
    public void sendSealed(PhysicalAddress to, byte[] packet) throws Exception { super.sendUnicast(to, packet, 0, packet.length); }

    private Seal required() { return Objects.requireNonNull(seal, "the seal is set before connect"); }
}
