package io.ambo.hatests.sim;

import io.ambo.cluster.session.SessionKey;
import io.ambo.hatests.sim.EndFrames.End;
import io.ambo.node.packet.PacketView;

/** Two ends that talk through the nodes, and what they know of it themselves: the truth that the nodes' tables are measured by. */
abstract class Conversation {
    /** What it needs of the network between the ends and the nodes. */
    interface Network {
        void send(Conversation conversation, boolean fromClient, byte[] frame, String what);

        void after(long ns, Runnable act);

        /** Both ends have agreed; the server sees the client as this. */
        void onEstablished(Conversation conversation, End seenAs);

        void onOver(Conversation conversation, String why);

        /** The server gets a packet of it from another address or port than it knows the client by. */
        void onTranslatedAnew(Conversation conversation, End seenAs, End now);

        /** Something happened that no firewall may do to a conversation. */
        void onWrong(Conversation conversation, String what);
    }

    final int id;
    final End client;
    /** What the client dials, and who answers. */
    final End dialed;
    final End real;
    final int protocol;
    /** Hash of the session's key. */
    final long keyHash;
    /** Which nodes its packets are dealt to: -1: any; else the number of the way out and of the way back. */
    final int wayOut;
    final int wayBack;
    private final Network network;
    private boolean openedTwice;
    private long forwardedNs = Long.MIN_VALUE / 2;
    private boolean lostByRight;
    private boolean over;

    Conversation(int id, End client, End dialed, End real, int protocol, int wayOut, int wayBack, Network network) {
        this.id = id;
        this.client = client;
        this.dialed = dialed;
        this.real = real;
        this.protocol = protocol;
        this.wayOut = wayOut;
        this.wayBack = wayBack;
        this.network = network;
        SessionKey key = new SessionKey();
        key.set(client.address().high(), client.address().low(), client.port(), dialed.address().high(), dialed.address().low(),
                dialed.port(), protocol, 0);
        keyHash = key.hash();
    }

    Network network() { return network; }

    abstract void open();

    /** A frame has come out of the nodes. */
    abstract void onFrame(boolean atServer, PacketView packet);

    /** Both ends have heard of each other. */
    abstract boolean isEstablished();

    /** The packet is of an attempt at the conversation that came to nothing, so that its translation may be another's by now. */
    boolean isTorn(boolean toServer, PacketView packet) {
        return false;
    }

    /** A node has opened its session beside one of the same ends that another node had. */
    final void openedTwice() { openedTwice = true; }

    final boolean isOpenedTwice() { return openedTwice; }

    /** Idle milliseconds after which the nodes may end its session. */
    abstract int timeoutMs();

    /** The ends have nothing to say any more. */
    abstract void quit();

    /** An end waits for what was lost, since then; {@link Long#MAX_VALUE}: none does. */
    abstract long waitsSinceNs();

    /** One end has begun to end it, or given up: the nodes may end its session. */
    final boolean isOver() { return over; }

    final void over(String why) {
        if (over) return;
        over = true;
        network.onOver(this, why);
    }

    final void forwarded(long nowNs) { forwardedNs = nowNs; }

    final long forwardedNs() { return forwardedNs; }

    /** The last node that had its session has crashed. */
    final void loseByRight() { lostByRight = true; }

    final boolean isLostByRight() { return lostByRight; }

    /** The nodes must keep its session. */
    final boolean mustLive() { return isEstablished() && !over && !lostByRight && !openedTwice; }

    @Override
    public String toString() {
        String kind = protocol == EndFrames.TCP ? "tcp" : protocol == EndFrames.UDP ? "udp" : "echo";
        return "#" + id + " " + kind + " " + client + " > " + dialed + (dialed.equals(real) ? "" : " = " + real);
    }
}
