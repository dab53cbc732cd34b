// For tests: a microphone made of Web Audio, in place of the browser's, and a hand on it as window.madeMicrophone.
// It hears a room that is never quite silent, a voice that can be switched on and off, and, where there is no headphone,
// what the page plays, later and weaker. window.madeMicrophoneOptions = { loop: {delay_s, gain} or null, voice: boolean }.

(() => {
  const { loop = null, voice = true } = window.madeMicrophoneOptions ?? {};
  const VOICE_HZ = 196;
  const VOICE_GAINS = [0.16, 0.06, 0.03];
  const ROOM_LEVEL = 0.0003; // about -75 dBFS

  const connect = AudioNode.prototype.connect;
  const rooms = new WeakMap(); // per context: where what it plays comes out
  const voices = [];
  const kept = []; // a browser may collect a node that nothing refers to, and with it the sound
  let newest = null; // the page's latest context
  let isOn = voice;

  /** What comes out of this context's loudspeaker, on its way to the microphone. */
  function roomOf(context) {
    if (!rooms.has(context)) rooms.set(context, new GainNode(context, { gain: loop?.gain ?? 0 }));
    return rooms.get(context);
  }

  AudioNode.prototype.connect = function connectAndListen(to, ...more) {
    if (to instanceof AudioDestinationNode && to.context instanceof AudioContext) {
      newest = to.context;
      connect.call(this, roomOf(newest));
    }
    return connect.call(this, to, ...more);
  };

  function noiseOf(context) {
    const buffer = new AudioBuffer({ length: context.sampleRate, sampleRate: context.sampleRate });
    buffer.copyToChannel(Float32Array.from({ length: buffer.length }, () => ROOM_LEVEL * 2 * (Math.random() - 0.5)), 0);
    const source = new AudioBufferSourceNode(context, { buffer, loop: true });
    source.start();
    return source;
  }

  function voiceOf(context) {
    const sum = new GainNode(context, { gain: isOn ? 1 : 0 });
    VOICE_GAINS.forEach((gain, k) => {
      const tone = new OscillatorNode(context, { frequency: VOICE_HZ * (k + 1) });
      connect.call(tone, new GainNode(context, { gain })).connect(sum);
      tone.start();
    });
    voices.push(sum);
    return sum;
  }

  const hand = {
    settings: {
      deviceId: "made", groupId: "made", channelCount: 1,
      echoCancellation: false, noiseSuppression: false, autoGainControl: false,
    },
    devices: [{ kind: "audioinput", deviceId: "made" }, { kind: "audiooutput", deviceId: "loudspeaker" }],
    error: null, // the name of what getUserMedia says instead of giving a stream
    track: null,
    opened: 0,

    /** Somebody hums, or is quiet. */
    voice(on) {
      isOn = on;
      voices.forEach((sum) => { sum.gain.value = on ? 1 : 0; });
    },

    /** Resolves when so many seconds have been heard. */
    async heard(seconds) {
      const end = newest.currentTime + seconds;
      while (newest.currentTime < end) await new Promise((resolve) => { setTimeout(resolve, 20); });
    },

    /** The microphone is pulled out. */
    pull() {
      hand.track.stop();
      hand.track.dispatchEvent(new Event("ended"));
    },

    /** Something is plugged in. */
    plug(deviceId) {
      hand.devices = [...hand.devices, { kind: "audiooutput", deviceId }];
      navigator.mediaDevices.dispatchEvent(new Event("devicechange"));
    },
  };

  async function getUserMedia() {
    if (hand.error) throw new DOMException("as the test wants it", hand.error);
    const context = newest;
    const ear = new MediaStreamAudioDestinationNode(context, { channelCount: 1 });
    const delay = new DelayNode(context, { delayTime: loop?.delay_s ?? 0, maxDelayTime: 1 });
    const noise = noiseOf(context);
    connect.call(connect.call(roomOf(context), delay), ear);
    connect.call(noise, ear);
    kept.push(ear, delay, noise);
    connect.call(voiceOf(context), ear);
    [hand.track] = ear.stream.getAudioTracks();
    hand.track.getSettings = () => ({ ...hand.settings, sampleRate: context.sampleRate });
    hand.opened += 1;
    return ear.stream;
  }

  if (navigator.mediaDevices) {
    navigator.mediaDevices.getUserMedia = getUserMedia;
    navigator.mediaDevices.enumerateDevices = async () => hand.devices;
  }
  window.madeMicrophone = hand;
})();
