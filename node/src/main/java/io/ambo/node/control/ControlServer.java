package io.ambo.node.control;

import io.netty.bootstrap.ServerBootstrap;
import io.netty.channel.Channel;
import io.netty.channel.ChannelHandlerContext;
import io.netty.channel.ChannelInboundHandlerAdapter;
import io.netty.channel.ChannelInitializer;
import io.netty.channel.EventLoopGroup;
import io.netty.channel.MultiThreadIoEventLoopGroup;
import io.netty.channel.epoll.EpollDomainSocketChannel;
import io.netty.channel.epoll.EpollIoHandler;
import io.netty.channel.epoll.EpollServerDomainSocketChannel;
import io.netty.channel.unix.DomainSocketAddress;
import io.netty.util.concurrent.DefaultThreadFactory;
import java.nio.file.Path;
import java.time.Duration;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.ThreadPoolExecutor;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicInteger;
import org.apache.logging.log4j.LogManager;
import org.apache.logging.log4j.Logger;
import org.jspecify.annotations.Nullable;

/**
 * The node's control socket. Owned by the composition root: started once, closed once. One loop thread reads and writes; a few threads of its own make the
 * answers, so that a long sweep holds up neither the loop nor the cluster's virtual threads.
 */
public final class ControlServer implements AutoCloseable {
    private static final Logger LOG = LogManager.getLogger();
    private static final int WORKERS = 4;
    /** Requests are small. */
    private static final int FRAME_MAX_BYTES = 64 << 10;
    private static final long CLOSE_MS = 1000;

    /**
     * @param socket         path of the unix socket; its directory exists
     * @param group          the group that may use it, or empty: that of the process
     * @param connectionsMax at once; more are turned away with an error
     * @param patience       how long an asker may take to send a request, or to read the answer
     */
    public record Settings(Path socket, String group, int connectionsMax, Duration patience) {
        public Settings(Path socket, String group) { this(socket, group, 64, Duration.ofSeconds(30)); }
    }

    private final Settings settings;
    private final ClusterAnswers answers;
    private final AtomicInteger connections = new AtomicInteger();
    private final ThreadPoolExecutor workers;
    private @Nullable EventLoopGroup loop;
    private @Nullable Channel listener;
    private @Nullable SocketFile file;

    public ControlServer(Settings settings, LocalAnswers local, PeerQuery peers) {
        this.settings = settings;
        answers = new ClusterAnswers(local, peers);
        // The queue is bounded by the connections: each has one request under way.
        workers = new ThreadPoolExecutor(WORKERS, WORKERS, 10, TimeUnit.SECONDS, new LinkedBlockingQueue<>(),
                new DefaultThreadFactory("ambo-control", true));
        workers.allowCoreThreadTimeOut(true);
    }

    /**
     * Binds the socket: mode 0660, a stale file of a dead node is replaced.
     *
     * @throws ControlException another process listens there, or the path cannot be used
     */
    public void start() {
        SocketFile socketFile = SocketFile.prepare(settings.socket());
        EventLoopGroup group = new MultiThreadIoEventLoopGroup(1, new DefaultThreadFactory("ambo-control-loop", true),
                EpollIoHandler.newFactory());
        loop = group;
        ServerBootstrap bootstrap = new ServerBootstrap().group(group).channel(EpollServerDomainSocketChannel.class)
                .childHandler(new ChannelInitializer<EpollDomainSocketChannel>() {
                    @Override
                    protected void initChannel(EpollDomainSocketChannel channel) throws Exception { onConnection(channel); }
                });
        try {
            listener = bootstrap.bind(new DomainSocketAddress(socketFile.bindPath().toString())).syncUninterruptibly().channel();
            socketFile.publish(settings.group());
        } catch (Exception e) {
            close();
            if (e instanceof ControlException known) throw known;
            throw new ControlException("cannot listen on the control socket " + settings.socket() + ": " + e.getMessage(),
                    "does its directory exist, and may this user write to it?", e);
        }
        file = socketFile;
        LOG.info("control socket {}", settings.socket());
    }

    private void onConnection(EpollDomainSocketChannel channel) throws Exception {
        if (connections.incrementAndGet() > settings.connectionsMax()) {
            channel.pipeline().addLast(new ChannelInboundHandlerAdapter() {
                @Override
                public void channelActive(ChannelHandlerContext context) {
                    Conversation.turnAway(context, "the node has " + settings.connectionsMax() + " control connections already",
                            "close some, and try again");
                }
            });
        } else {
            channel.pipeline().addLast(new FrameDecoder(FRAME_MAX_BYTES),
                    new Conversation(answers, workers, settings.patience(), channel.peerCredentials()));
        }
        channel.closeFuture().addListener(closed -> connections.decrementAndGet());
    }

    /** Connections end with it; a request under way is not waited for longer than a second. */
    @Override
    public void close() {
        if (file != null) file.remove();
        file = null;
        if (listener != null) listener.close().syncUninterruptibly();
        listener = null;
        workers.shutdownNow();
        if (loop != null) loop.shutdownGracefully(0, CLOSE_MS, TimeUnit.MILLISECONDS).syncUninterruptibly();
        loop = null;
    }
}
