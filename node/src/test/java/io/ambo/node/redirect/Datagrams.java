package io.ambo.node.redirect;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.net.InetAddress;

/** What tests of the kernel's lane compare with: the same, made by Java. */
public final class Datagrams {
    private Datagrams() {}

    /** The tag that belongs to a datagram, whose Geneve header is at that offset and whose inner packet ends with the array. */
    public static long tag(InetAddress source, InetAddress destination, byte[] datagram, int geneve, byte[] key) {
        return Geneve.tag(RedirectPeer.mapped(source), RedirectPeer.mapped(destination), MemorySegment.ofArray(datagram), geneve,
                datagram.length - geneve - Geneve.SIZE, RedirectPeer.word(key, 0), RedirectPeer.word(key, 1),
                Arena.ofAuto().allocate(Geneve.TAGGED, 8));
    }

    public static long tagOf(byte[] datagram, int geneve) { return Geneve.tagOf(MemorySegment.ofArray(datagram), geneve); }

    public static void writeTag(byte[] datagram, int geneve, long tag) { Geneve.writeTag(MemorySegment.ofArray(datagram), geneve, tag); }
}
