// A camera or a microphone of the machine: opened when somebody asks for it, closed with its light. What it takes is handed over piece by piece, as files.

/** What is open. `begin` starts to take for a class, `end` stops. */
interface Device { begin(of: number): void; end(): void; close(): void }
/** Told what was taken for which class. */
type Took = (what: Blob, of: number) => void;

/** Height and width of a picture; more is not kept. */
const SIDE = 128;
/** Milliseconds from one picture to the next, and from one look at the loudness to the next. */
const [EVERY, LOOK] = [200, 60];

/** Why a device cannot be had. */
function refusal(what: string, error: unknown): Error {
  const name = error instanceof DOMException ? error.name : "";
  const why: Record<string, string> = {
    NotAllowedError: `This page may not use the ${what}. Allow it beside the address, then open it again; or bring files.`,
    NotFoundError: `There is no ${what} on this machine. Connect one, or bring files.`,
    NotReadableError: `The ${what} is in use by another program. Close that, then open it again.`,
  };
  return new Error(why[name] ?? `The ${what} cannot be opened. Bring files instead.`);
}

/** Asks for a device and shows what it gives: a video in its element, loudness on a meter. `gone` is told when it is lost. */
export async function open(shown: HTMLVideoElement | HTMLMeterElement, took: Took, gone: (why: string) => void): Promise<Device> {
  const sees = shown instanceof HTMLVideoElement;
  const what = sees ? "camera" : "microphone";
  if (!navigator.mediaDevices) throw new Error(`A browser gives no ${what} to a page that is not on https. Bring files instead.`);
  // A network is to hear what there is, not what makes a call pleasant.
  const heard = { echoCancellation: false, noiseSuppression: false, autoGainControl: false };
  const stream = await navigator.mediaDevices.getUserMedia(sees ? { video: { facingMode: "environment" } } : { audio: heard }).catch((error: unknown) => {
    throw refusal(what, error);
  });
  stream.getTracks().forEach((track) => (track.onended = () => gone(`The ${what} is gone. What was taken is still here.`)));
  const device = sees ? camera(shown, stream, took) : microphone(shown, stream, took);
  const close = () => {
    device.close();
    stream.getTracks().forEach((track) => track.stop());
  };
  return { ...device, close };
}

function camera(video: HTMLVideoElement, stream: MediaStream, took: Took): Device {
  video.srcObject = stream;
  void video.play().catch(() => {});
  let timer: ReturnType<typeof setInterval> | undefined;
  const take = async (of: number) => {
    const whole = Math.min(video.videoWidth, video.videoHeight);
    if (!whole) return;
    const canvas = new OffscreenCanvas(SIDE, SIDE);
    const context = canvas.getContext("2d")!;
    context.imageSmoothingQuality = "high";
    context.drawImage(video, (video.videoWidth - whole) / 2, (video.videoHeight - whole) / 2, whole, whole, 0, 0, SIDE, SIDE);
    took(await canvas.convertToBlob(), of);
  };
  const end = () => clearInterval(timer);
  const begin = (of: number) => {
    end();
    void take(of);
    timer = setInterval(() => void take(of), EVERY);
  };
  const close = () => {
    end();
    video.srcObject = null;
  };
  return { begin, end, close };
}

function microphone(meter: HTMLMeterElement, stream: MediaStream, took: Took): Device {
  const context = new AudioContext();
  const analyser = context.createAnalyser();
  context.createMediaStreamSource(stream).connect(analyser);
  const wave = new Float32Array(analyser.fftSize);
  const look = setInterval(() => {
    analyser.getFloatTimeDomainData(wave);
    const most = wave.reduce((most, v) => Math.max(most, Math.abs(v)), 0);
    // From 60 decibels below full loudness.
    meter.value = Math.max(0, 1 + Math.log10(most + 1e-9) / 3);
  }, LOOK);
  let recorder: MediaRecorder | undefined;
  const end = () => {
    if (recorder?.state === "recording") recorder.stop();
  };
  const begin = (of: number) => {
    end();
    recorder = new MediaRecorder(stream, { audioBitsPerSecond: 128_000 });
    recorder.ondataavailable = ({ data }) => {
      if (data.size) took(data, of);
    };
    recorder.start();
  };
  const close = () => {
    end();
    clearInterval(look);
    void context.close();
  };
  return { begin, end, close };
}
