// What scripts give and get, generated from the Rust types by `cargo xtask schema`; not to be edited.

/** What to learn from. */
export type Data =
  | "spirals"
  | "circles"
  | "moons"
  | "xor"
  | "gaussians"
  | "checkerboard"
  | "rings"
  | "points"
  | "pairs"
  | "sine"
  | "steps"
  | "digits"
  | "drawn_digits"
  | "shapes"
  | "gratings"
  | "textures"
  | "captions"
  | "images"
  | "iris"
  | "wine"
  | "breast_cancer"
  | "csv"
  | "sine_wave"
  | "mackey_glass"
  | "lorenz"
  | "adding"
  | "temporal_order"
  | "pen_strokes"
  | "chirps"
  | "sounds"
  | "majority"
  | "parity"
  | "copy"
  | "reverse"
  | "sort"
  | "addition"
  | "modular_addition"
  | "induction"
  | "recall"
  | "copy_memory"
  | "dyck"
  | "calendar"
  | "text"
  | "tinytales"
  | "elman"
  | "masked"
  | "skip_gram"
  | "search"
  | /** Arms that wind around each other, one per class: easy to see, hard to separate. */
  { spirals: {
    /** Points in all, training and validation together. 10 to 20000. Default: `500`. */
    samples?: number;
    /** Standard deviation of what is added to both coordinates; the plane is about 2 wide. 0 to 0.5. Default: `0.03`. */
    noise?: number;
    /** How many arms; each is a class. 2 to 6. Default: `2`. */
    classes?: number;
    /** How often an arm goes round. 0.25 to 4. Default: `1.5`. */
    turns?: number;
    /** How much rarer every class but the first is: 0 is equally many, 0.9 a tenth. 0 to 0.95. Default: `0.0`. */
    imbalance?: number;
    /** Share of the points that is never learned from. 0 to 0.9. Default: `0.3`. */
    validation?: number;
    /** What the network is told about a point. Default: `["x","y"]`. */
    features?: Array<"x" | "y" | "x2" | "y2" | "xy" | "sin_x" | "sin_y" | "cos_x" | "cos_y" | "radius" | "angle">;
    /** Whether every step learns from new points, so that none can be learned by heart. Default: `false`. */
    endless?: boolean;
  } }
  | /** A disc inside a ring. */
  { circles: {
    /** Points in all, training and validation together. 10 to 20000. Default: `400`. */
    samples?: number;
    /** Standard deviation of what is added to both coordinates; the plane is about 2 wide. 0 to 0.5. Default: `0.05`. */
    noise?: number;
    /** Radius of the disc as a share of the ring's inner radius. 0.1 to 1. Default: `0.7`. */
    factor?: number;
    /** How much rarer every class but the first is: 0 is equally many, 0.9 a tenth. 0 to 0.95. Default: `0.0`. */
    imbalance?: number;
    /** Share of the points that is never learned from. 0 to 0.9. Default: `0.3`. */
    validation?: number;
    /** What the network is told about a point. Default: `["x","y"]`. */
    features?: Array<"x" | "y" | "x2" | "y2" | "xy" | "sin_x" | "sin_y" | "cos_x" | "cos_y" | "radius" | "angle">;
    /** Whether every step learns from new points, so that none can be learned by heart. Default: `false`. */
    endless?: boolean;
  } }
  | /** Two half circles that reach into each other. */
  { moons: {
    /** Points in all, training and validation together. 10 to 20000. Default: `400`. */
    samples?: number;
    /** Standard deviation of what is added to both coordinates; the plane is about 2 wide. 0 to 0.5. Default: `0.06`. */
    noise?: number;
    /** How much rarer every class but the first is: 0 is equally many, 0.9 a tenth. 0 to 0.95. Default: `0.0`. */
    imbalance?: number;
    /** Share of the points that is never learned from. 0 to 0.9. Default: `0.3`. */
    validation?: number;
    /** What the network is told about a point. Default: `["x","y"]`. */
    features?: Array<"x" | "y" | "x2" | "y2" | "xy" | "sin_x" | "sin_y" | "cos_x" | "cos_y" | "radius" | "angle">;
    /** Whether every step learns from new points, so that none can be learned by heart. Default: `false`. */
    endless?: boolean;
  } }
  | /** Opposite quadrants share a class, so that no single straight line helps. */
  { xor: {
    /** Points in all, training and validation together. 10 to 20000. Default: `400`. */
    samples?: number;
    /** Standard deviation of what is added to both coordinates; the plane is about 2 wide. 0 to 0.5. Default: `0.03`. */
    noise?: number;
    /** Width of the empty cross between the quadrants. 0 to 0.5. Default: `0.1`. */
    gap?: number;
    /** How much rarer every class but the first is: 0 is equally many, 0.9 a tenth. 0 to 0.95. Default: `0.0`. */
    imbalance?: number;
    /** Share of the points that is never learned from. 0 to 0.9. Default: `0.3`. */
    validation?: number;
    /** What the network is told about a point. Default: `["x","y"]`. */
    features?: Array<"x" | "y" | "x2" | "y2" | "xy" | "sin_x" | "sin_y" | "cos_x" | "cos_y" | "radius" | "angle">;
    /** Whether every step learns from new points, so that none can be learned by heart. Default: `false`. */
    endless?: boolean;
  } }
  | /** Clouds around one centre per class; a straight line separates two of them. */
  { gaussians: {
    /** Points in all, training and validation together. 10 to 20000. Default: `400`. */
    samples?: number;
    /** Standard deviation of what is added to both coordinates; the plane is about 2 wide. 0 to 0.5. Default: `0.2`. */
    noise?: number;
    /** How many clouds. 2 to 6. Default: `2`. */
    classes?: number;
    /** How much rarer every class but the first is: 0 is equally many, 0.9 a tenth. 0 to 0.95. Default: `0.0`. */
    imbalance?: number;
    /** Share of the points that is never learned from. 0 to 0.9. Default: `0.3`. */
    validation?: number;
    /** What the network is told about a point. Default: `["x","y"]`. */
    features?: Array<"x" | "y" | "x2" | "y2" | "xy" | "sin_x" | "sin_y" | "cos_x" | "cos_y" | "radius" | "angle">;
    /** Whether every step learns from new points, so that none can be learned by heart. Default: `false`. */
    endless?: boolean;
  } }
  | /** The squares of a board, their classes taking turns. */
  { checkerboard: {
    /** Points in all, training and validation together. 10 to 20000. Default: `800`. */
    samples?: number;
    /** Standard deviation of what is added to both coordinates; the plane is about 2 wide. 0 to 0.5. Default: `0.01`. */
    noise?: number;
    /** Squares along one side. 2 to 8. Default: `4`. */
    cells?: number;
    /** How many classes take turns along a row. 2 to 6. Default: `2`. */
    classes?: number;
    /** How much rarer every class but the first is: 0 is equally many, 0.9 a tenth. 0 to 0.95. Default: `0.0`. */
    imbalance?: number;
    /** Share of the points that is never learned from. 0 to 0.9. Default: `0.3`. */
    validation?: number;
    /** What the network is told about a point. Default: `["x","y"]`. */
    features?: Array<"x" | "y" | "x2" | "y2" | "xy" | "sin_x" | "sin_y" | "cos_x" | "cos_y" | "radius" | "angle">;
    /** Whether every step learns from new points, so that none can be learned by heart. Default: `false`. */
    endless?: boolean;
  } }
  | /** Rings around a common centre, their classes taking turns from the inside out. */
  { rings: {
    /** Points in all, training and validation together. 10 to 20000. Default: `600`. */
    samples?: number;
    /** Standard deviation of what is added to both coordinates; the plane is about 2 wide. 0 to 0.5. Default: `0.03`. */
    noise?: number;
    /** How many rings. 2 to 8. Default: `4`. */
    rings?: number;
    /** How many classes take turns. 2 to 6. Default: `2`. */
    classes?: number;
    /** How much rarer every class but the first is: 0 is equally many, 0.9 a tenth. 0 to 0.95. Default: `0.0`. */
    imbalance?: number;
    /** Share of the points that is never learned from. 0 to 0.9. Default: `0.3`. */
    validation?: number;
    /** What the network is told about a point. Default: `["x","y"]`. */
    features?: Array<"x" | "y" | "x2" | "y2" | "xy" | "sin_x" | "sin_y" | "cos_x" | "cos_y" | "radius" | "angle">;
    /** Whether every step learns from new points, so that none can be learned by heart. Default: `false`. */
    endless?: boolean;
  } }
  | /** Points drawn by hand. */
  { points: {
    /** The points, each as [x, y, class]. Default: `[]`. */
    points?: Array<[number, number, number]>;
    /** What the classes are called, in their order; left empty, they are numbered. Default: `[]`. */
    labels?: Array<string>;
    /** Share of the points that is never learned from. 0 to 0.9. Default: `0.3`. */
    validation?: number;
    /** What the network is told about a point. Default: `["x","y"]`. */
    features?: Array<"x" | "y" | "x2" | "y2" | "xy" | "sin_x" | "sin_y" | "cos_x" | "cos_y" | "radius" | "angle">;
  } }
  | /** A point of two circles and a point of four quadrants: are they of the same class? */
  { pairs: {
    /** Pairs in all, training and validation together. 10 to 20000. Default: `1500`. */
    samples?: number;
    /** Standard deviation of what is added to all coordinates; each plane is about 2 wide. 0 to 0.5. Default: `0.02`. */
    noise?: number;
    /** Share of the pairs that is never learned from. 0 to 0.9. Default: `0.3`. */
    validation?: number;
  } }
  | /** A sine wave to be fitted by a curve. */
  { sine: {
    /** Points in all, training and validation together. 10 to 20000. Default: `200`. */
    samples?: number;
    /** Standard deviation of what is added to the height. 0 to 0.5. Default: `0.1`. */
    noise?: number;
    /** Whole waves over the width of the picture. 0.25 to 8. Default: `1.5`. */
    frequency?: number;
    /** Share of the points that is never learned from. 0 to 0.9. Default: `0.3`. */
    validation?: number;
    /** What the network is told about x. Default: `["x"]`. */
    features?: Array<"x" | "x2" | "x3" | "sin_x" | "cos_x">;
  } }
  | /** A staircase to be fitted by a curve: smooth activations round its edges. */
  { steps: {
    /** Points in all, training and validation together. 10 to 20000. Default: `200`. */
    samples?: number;
    /** Standard deviation of what is added to the height. 0 to 0.5. Default: `0.05`. */
    noise?: number;
    /** How many treads. 2 to 12. Default: `4`. */
    treads?: number;
    /** Share of the points that is never learned from. 0 to 0.9. Default: `0.3`. */
    validation?: number;
    /** What the network is told about x. Default: `["x"]`. */
    features?: Array<"x" | "x2" | "x3" | "sin_x" | "cos_x">;
  } }
  | /** 1797 handwritten digits of 8 × 8 pixels, or enlarged. */
  { digits: {
    /** Height and width of a picture in pixels; the digits were scanned at 8, larger ones are interpolated. 8 to 32. Default: `8`. */
    size?: number;
    /** Share of the samples to learn from that get a wrong class; validation keeps the right ones. 0 to 1. Default: `0.0`. */
    label_noise?: number;
    /** Share of the samples that is never learned from. 0 to 0.9. Default: `0.3`. */
    validation?: number;
  } }
  | /** Handwritten digits of 28 × 28 pixels, drawn with strokes. */
  { drawn_digits: {
    /** Pictures in all, training and validation together. 10 to 20000. Default: `3000`. */
    samples?: number;
    /** How much hands differ: 0 writes all digits alike, 1 as many people would. 0 to 2. Default: `1.0`. */
    variation?: number;
    /** Standard deviation of what is added to every pixel; white is 1. 0 to 1. Default: `0.0`. */
    noise?: number;
    /** Share of the samples to learn from that get a wrong class; validation keeps the right ones. 0 to 1. Default: `0.0`. */
    label_noise?: number;
    /** Share of the pictures that is never learned from. 0 to 0.9. Default: `0.3`. */
    validation?: number;
    /** Whether every step learns from new pictures, so that none can be learned by heart. Default: `false`. */
    endless?: boolean;
  } }
  | /** Circle, square, triangle or star, somewhere in the picture. */
  { shapes: {
    /** Pictures in all, training and validation together. 10 to 20000. Default: `2000`. */
    samples?: number;
    /** Height and width of a picture in pixels. 12 to 64. Default: `28`. */
    size?: number;
    /** How far from the middle shapes may lie: 0 keeps them there, 1 lets them go to the border. 0 to 1. Default: `1.0`. */
    place?: number;
    /** Whether shapes are filled, or lines. Default: `true`. */
    filled?: boolean;
    /** What is to be said of a picture. Default: `"class"`. */
    answer?: "class" | "mask";
    /** Standard deviation of what is added to every pixel; white is 1. 0 to 1. Default: `0.05`. */
    noise?: number;
    /** Share of the samples to learn from that get a wrong class; validation keeps the right ones. 0 to 1. Default: `0.0`. */
    label_noise?: number;
    /** Share of the pictures that is never learned from. 0 to 0.9. Default: `0.3`. */
    validation?: number;
    /** Whether every step learns from new pictures, so that none can be learned by heart. Default: `false`. */
    endless?: boolean;
  } }
  | /** Stripes of random width and place; the class is their direction. */
  { gratings: {
    /** Pictures in all, training and validation together. 10 to 20000. Default: `1500`. */
    samples?: number;
    /** Height and width of a picture in pixels. 8 to 64. Default: `16`. */
    size?: number;
    /** How many directions there are, evenly spread. 2 to 12. Default: `4`. */
    classes?: number;
    /** How far a direction strays from its class, as a share of what lies between two. 0 to 1. Default: `0.3`. */
    stray?: number;
    /** Standard deviation of what is added to every pixel; white is 1. 0 to 1. Default: `0.1`. */
    noise?: number;
    /** Share of the samples to learn from that get a wrong class; validation keeps the right ones. 0 to 1. Default: `0.0`. */
    label_noise?: number;
    /** Share of the pictures that is never learned from. 0 to 0.9. Default: `0.3`. */
    validation?: number;
    /** Whether every step learns from new pictures, so that none can be learned by heart. Default: `false`. */
    endless?: boolean;
  } }
  | /** Stripes, checks, dots, rings or grain, in random width, rotation and contrast. */
  { textures: {
    /** Pictures in all, training and validation together. 10 to 20000. Default: `2000`. */
    samples?: number;
    /** Height and width of a picture in pixels. 12 to 64. Default: `24`. */
    size?: number;
    /** Standard deviation of what is added to every pixel; white is 1. 0 to 1. Default: `0.1`. */
    noise?: number;
    /** Share of the samples to learn from that get a wrong class; validation keeps the right ones. 0 to 1. Default: `0.0`. */
    label_noise?: number;
    /** Share of the pictures that is never learned from. 0 to 0.9. Default: `0.3`. */
    validation?: number;
    /** Whether every step learns from new pictures, so that none can be learned by heart. Default: `false`. */
    endless?: boolean;
  } }
  | /** Pictures of digits to be described in words: 7 3 → seven three. */
  { captions: {
    /** Pictures in all, training and validation together. 10 to 20000. Default: `3000`. */
    samples?: number;
    /** Digits of a picture at most; it has room for so many, and holds from one to all of them. 1 to 4. Default: `2`. */
    digits?: number;
    /** How much hands differ: 0 writes all digits alike, 1 as many people would. 0 to 2. Default: `1.0`. */
    variation?: number;
    /** Share of the pictures that is never learned from. 0 to 0.9. Default: `0.2`. */
    validation?: number;
  } }
  | /** Pictures of your own, each with a class. */
  { images: {
    /** Name of the file that holds the pictures and their classes. Default: `""`. */
    file?: string;
    /** Height and width of a picture in pixels; it is cut to a square and made smaller or larger. 8 to 128. Default: `28`. */
    size?: number;
    /** Whether pictures keep their colours: three channels in place of one. Default: `false`. */
    colour?: boolean;
    /** Share of the pictures that is never learned from, where the set has no test part of its own. 0 to 0.9. Default: `0.3`. */
    validation?: number;
  } }
  | /** 150 iris flowers of three species, measured in four ways. */
  { iris: {
    /** Share of the samples that is never learned from. 0 to 0.9. Default: `0.3`. */
    validation?: number;
  } }
  | /** 178 wines of three growers, analysed in thirteen ways. */
  { wine: {
    /** Share of the samples that is never learned from. 0 to 0.9. Default: `0.3`. */
    validation?: number;
  } }
  | /** 569 tumours, malignant or benign, described by thirty measures of their cell nuclei. */
  { breast_cancer: {
    /** Share of the samples that is never learned from. 0 to 0.9. Default: `0.3`. */
    validation?: number;
  } }
  | /** A table of your own, one sample per row. */
  { csv: {
    /** The table itself, kept in the experiment. Default: `""`. */
    text?: string;
    /** Name of a file to read when there is no text. Default: `""`. */
    file?: string;
    /** Column to predict; left empty, the likeliest is chosen. Default: `""`. */
    target?: string;
    /** Whether the target is a class or a number. Default: `"auto"`. */
    task?: "auto" | "classification" | "regression";
    /** Columns that are not given to the network. Default: `[]`. */
    ignore?: Array<string>;
    /** What stands between two values of a row. Default: `"auto"`. */
    delimiter?: "auto" | "comma" | "semicolon" | "tab" | "pipe" | "spaces";
    /** Whether the first row names the columns. Default: `"auto"`. */
    header?: "auto" | "names" | "data";
    /** What differs from the guess, by the names of the columns. Default: `{}`. */
    columns?: Record<string, {
      /** Whether the network is given it; empty is guessed. */
      use?: boolean | null;
      /** What its values are. */
      type?: "auto" | "number" | "category" | "date" | "text";
      /** What stands in for a value that is missing. */
      missing?: "auto" | "drop" | "mean" | "median" | "most_frequent" | "category";
      /** Whether an input more says that the value was missing. */
      flag?: boolean;
      /** Which sign stands before the fraction of its numbers. */
      decimal?: "auto" | "point" | "comma";
      /** In which order its dates are written. */
      date?: "auto" | "year_first" | "day_first" | "month_first";
    }>;
    /** Rows of a series that the network is given; at 0 every row is a sample of its own. 0 to 2000. Default: `0`. */
    window?: number;
    /** Rows that it is to predict, with a window. 1 to 500. Default: `1`. */
    horizon?: number;
    /** Rows from one window to the next. 1 to 2000. Default: `1`. */
    stride?: number;
    /** Column that says when a row was, with a window; left empty, the first one of dates, or else rows follow as they stand. Default: `""`. */
    time?: string;
    /** Column that tells several series apart, with a window. Default: `""`. */
    group?: string;
    /** Share of the rows that is never learned from. 0 to 0.9. Default: `0.3`. */
    validation?: number;
  } }
  | /** A sine wave in time: how does it go on? */
  { sine_wave: {
    /** Steps of the series, those held out at its end included. 20 to 20000. Default: `1200`. */
    steps?: number;
    /** Steps that the network is given. 1 to 512. Default: `40`. */
    window?: number;
    /** Steps that it is to predict. 1 to 128. Default: `8`. */
    horizon?: number;
    /** Steps from one window to the next. 1 to 512. Default: `1`. */
    stride?: number;
    /** Steps of a whole wave. 3 to 500. Default: `25.0`. */
    period?: number;
    /** Standard deviation of what is added to every value, as a share of the series' own. 0 to 1. Default: `0.0`. */
    noise?: number;
    /** Share of the windows that is never learned from, at the end of the series. 0 to 0.9. Default: `0.25`. */
    validation?: number;
  } }
  | /** A chaotic series whose change depends on its own past: how does it go on? */
  { mackey_glass: {
    /** Steps of the series, those held out at its end included. 20 to 20000. Default: `2500`. */
    steps?: number;
    /** Steps that the network is given. 1 to 512. Default: `48`. */
    window?: number;
    /** Steps that it is to predict. 1 to 128. Default: `8`. */
    horizon?: number;
    /** Steps from one window to the next. 1 to 512. Default: `1`. */
    stride?: number;
    /** How far in its past lies what the change depends on, in units of time. 5 to 60. Default: `17`. */
    delay?: number;
    /** Units of time from one step to the next. 1 to 10. Default: `2`. */
    spacing?: number;
    /** Standard deviation of what is added to every value, as a share of the series' own. 0 to 1. Default: `0.0`. */
    noise?: number;
    /** Share of the windows that is never learned from, at the end of the series. 0 to 0.9. Default: `0.25`. */
    validation?: number;
  } }
  | /** Three numbers that circle around two points in turns, never the same way: how do they go on? */
  { lorenz: {
    /** Steps of the series, those held out at its end included. 20 to 20000. Default: `3000`. */
    steps?: number;
    /** Steps that the network is given. 1 to 512. Default: `32`. */
    window?: number;
    /** Steps that it is to predict. 1 to 128. Default: `8`. */
    horizon?: number;
    /** Steps from one window to the next. 1 to 512. Default: `1`. */
    stride?: number;
    /** Time from one step to the next. 0.01 to 0.2. Default: `0.04`. */
    spacing?: number;
    /** How strongly it is heated; below about 24.7 it comes to rest. 1 to 60. Default: `28.0`. */
    rho?: number;
    /** Standard deviation of what is added to every value, as a share of the series' own. 0 to 1. Default: `0.0`. */
    noise?: number;
    /** Share of the windows that is never learned from, at the end of the series. 0 to 0.9. Default: `0.25`. */
    validation?: number;
  } }
  | /** Two of many numbers are marked: what is their sum? */
  { adding: {
    /** Sequences in all, training and validation together. 10 to 20000. Default: `8500`. */
    samples?: number;
    /** Numbers of the shortest sequence. 2 to 512. Default: `50`. */
    min_length?: number;
    /** Numbers of the longest sequence. 2 to 512. Default: `50`. */
    max_length?: number;
    /** Share of the sequences that is never learned from. 0 to 0.9. Default: `0.06`. */
    validation?: number;
  } }
  | /** Two symbols stand far apart among others: in which order? */
  { temporal_order: {
    /** Sequences in all, training and validation together. 10 to 20000. Default: `6000`. */
    samples?: number;
    /** Symbols of the shortest sequence. 10 to 512. Default: `30`. */
    min_length?: number;
    /** Symbols of the longest sequence. 10 to 512. Default: `50`. */
    max_length?: number;
    /** Share of the sequences that is never learned from. 0 to 0.9. Default: `0.1`. */
    validation?: number;
  } }
  | /** Handwritten digits as the way of the pen: which digit is being written? */
  { pen_strokes: {
    /** Digits in all, training and validation together. 10 to 20000. Default: `3000`. */
    samples?: number;
    /** How much hands differ: 0 writes all digits alike, 1 as many people would. 0 to 2. Default: `1.0`. */
    variation?: number;
    /** How far the pen goes in a step; a digit is about 10 high. 0.5 to 4. Default: `1.25`. */
    spacing?: number;
    /** Standard deviation of how far a hand that trembles puts each point beside its place. 0 to 1. Default: `0.0`. */
    noise?: number;
    /** Share of the digits that is never learned from. 0 to 0.9. Default: `0.3`. */
    validation?: number;
  } }
  | /** Short bird-like calls as bands of pitch over time: which kind of call? */
  { chirps: {
    /** Calls in all, training and validation together. 10 to 10000. Default: `1200`. */
    samples?: number;
    /** Seconds of a sample; a call lies anywhere in it. 0.3 to 3. Default: `0.6`. */
    seconds?: number;
    /** Bands of pitch that are told apart. 8 to 64. Default: `24`. */
    bands?: number;
    /** How much calls of a kind differ in pitch, tempo and loudness. 0 to 1. Default: `1.0`. */
    variation?: number;
    /** How loud the hiss behind a call is: at 1 it drowns those that are not loud. 0 to 1. Default: `0.05`. */
    noise?: number;
    /** Share of the calls that is never learned from. 0 to 0.9. Default: `0.3`. */
    validation?: number;
  } }
  | /** Sounds of your own, each with a class, as bands of pitch over time. */
  { sounds: {
    /** Name of the file that holds the sounds, each class in a folder of its own. Default: `""`. */
    file?: string;
    /** Seconds of a sample. A longer recording is cut into several; behind a shorter one it is silent. 0.2 to 5. Default: `1.0`. */
    seconds?: number;
    /** Bands of pitch that are told apart. 8 to 64. Default: `32`. */
    bands?: number;
    /** Share of the recordings that is never learned from, where the set has no test part of its own. A class that is one recording keeps the end of it. 0 to 0.9. Default: `0.3`. */
    validation?: number;
  } }
  | /** Sequences of tokens: which of the tokens 1 and 2 comes more often? */
  { majority: {
    /** Sequences in all, training and validation together. 10 to 20000. Default: `2000`. */
    samples?: number;
    /** How many different tokens there are; the first two are counted, the others are in the way. 2 to 1000. Default: `6`. */
    vocabulary?: number;
    /** Tokens of the shortest sequence. 1 to 256. Default: `3`. */
    min_length?: number;
    /** Tokens of the longest sequence; shorter ones are filled up with the token 0. 1 to 256. Default: `16`. */
    max_length?: number;
    /** Share of the sequences that is never learned from. 0 to 0.9. Default: `0.3`. */
    validation?: number;
  } }
  | /** Sequences of bits: is the number of ones even or odd? */
  { parity: {
    /** Sequences in all, training and validation together. 10 to 20000. Default: `2000`. */
    samples?: number;
    /** Bits of the shortest sequence. 1 to 512. Default: `4`. */
    min_length?: number;
    /** Bits of the longest sequence. 1 to 512. Default: `12`. */
    max_length?: number;
    /** Share of the sequences that is never learned from. 0 to 0.9. Default: `0.3`. */
    validation?: number;
  } }
  | /** Sequences to be said again: abc → abc. */
  { copy: {
    /** Sequences in all, training and validation together. 10 to 50000. Default: `5000`. */
    samples?: number;
    /** How many different tokens there are. 2 to 1000. Default: `10`. */
    vocabulary?: number;
    /** Tokens of a sequence. 1 to 256. Default: `8`. */
    length?: number;
    /** Whether the sequence and the answer so far are two inputs, for an encoder and a decoder, instead of one. Default: `false`. */
    encoder_decoder?: boolean;
    /** Share of the sequences that is never learned from. 0 to 0.9. Default: `0.2`. */
    validation?: number;
  } }
  | /** Sequences to be said backwards: abc → cba. */
  { reverse: {
    /** Sequences in all, training and validation together. 10 to 50000. Default: `5000`. */
    samples?: number;
    /** How many different tokens there are. 2 to 1000. Default: `10`. */
    vocabulary?: number;
    /** Tokens of a sequence. 1 to 256. Default: `8`. */
    length?: number;
    /** Whether the sequence and the answer so far are two inputs, for an encoder and a decoder, instead of one. Default: `false`. */
    encoder_decoder?: boolean;
    /** Share of the sequences that is never learned from. 0 to 0.9. Default: `0.2`. */
    validation?: number;
  } }
  | /** Sequences to be sorted: cab → abc. */
  { sort: {
    /** Sequences in all, training and validation together. 10 to 50000. Default: `5000`. */
    samples?: number;
    /** How many different tokens there are. 2 to 1000. Default: `10`. */
    vocabulary?: number;
    /** Tokens of a sequence. 1 to 256. Default: `8`. */
    length?: number;
    /** Whether the sequence and the answer so far are two inputs, for an encoder and a decoder, instead of one. Default: `false`. */
    encoder_decoder?: boolean;
    /** Share of the sequences that is never learned from. 0 to 0.9. Default: `0.2`. */
    validation?: number;
  } }
  | /** Sums to be worked out digit by digit: 27+05=32. */
  { addition: {
    /** Sums in all, training and validation together. 10 to 50000. Default: `10000`. */
    samples?: number;
    /** Digits of each number. 1 to 8. Default: `2`. */
    digits?: number;
    /** Whether the last digit of the sum comes first, as on paper: then each digit needs only the carry before it. Default: `true`. */
    reversed?: boolean;
    /** Whether the sequence and the answer so far are two inputs, for an encoder and a decoder, instead of one. Default: `false`. */
    encoder_decoder?: boolean;
    /** Share of the sums that is never learned from. 0 to 0.9. Default: `0.2`. */
    validation?: number;
  } }
  | /** Sums modulo a number, such as 5 + 4 = 2 modulo 7: every pair once, some to learn from, the others to be found out. */
  { modular_addition: {
    /** The number modulo which is counted; there are its square of samples. 4 to 200. Default: `31`. */
    modulus?: number;
    /** Share of the pairs that is never learned from. 0 to 0.9. Default: `0.4`. */
    validation?: number;
  } }
  | /** Random sequences that come twice: look for where the token stood before, and say what followed. */
  { induction: {
    /** Sequences in all, training and validation together. 10 to 50000. Default: `5000`. */
    samples?: number;
    /** How many different tokens there are. 2 to 1000. Default: `26`. */
    vocabulary?: number;
    /** Tokens until the sequence repeats; no token comes twice in them where there are enough. 2 to 128. Default: `12`. */
    length?: number;
    /** Share of the sequences that is never learned from. 0 to 0.9. Default: `0.2`. */
    validation?: number;
  } }
  | /** Letters with a number each, then one of the letters: say its number. */
  { recall: {
    /** Sequences in all, training and validation together. 10 to 50000. Default: `8000`. */
    samples?: number;
    /** How many pairs there are to remember. 1 to 26. Default: `6`. */
    pairs?: number;
    /** How many different letters there are; no letter comes twice where there are enough. 2 to 26. Default: `12`. */
    keys?: number;
    /** How many different numbers there are. 2 to 100. Default: `10`. */
    values?: number;
    /** Share of the sequences that is never learned from. 0 to 0.9. Default: `0.2`. */
    validation?: number;
  } }
  | /** Symbols are shown, then nothing for long: which were they? */
  { copy_memory: {
    /** Sequences in all, training and validation together. 10 to 20000. Default: `6000`. */
    samples?: number;
    /** Symbols to remember. 1 to 20. Default: `3`. */
    symbols?: number;
    /** Different symbols. 2 to 20. Default: `4`. */
    alphabet?: number;
    /** Shortest time in which nothing is shown. 0 to 450. Default: `10`. */
    min_length?: number;
    /** Longest time in which nothing is shown. 0 to 450. Default: `20`. */
    max_length?: number;
    /** Share of the sequences that is never learned from. 0 to 0.9. Default: `0.1`. */
    validation?: number;
  } }
  | /** Brackets open and close: which one has to close next? */
  { dyck: {
    /** Sequences in all, training and validation together. 10 to 20000. Default: `3000`. */
    samples?: number;
    /** Brackets of the shortest sequence. 1 to 512. Default: `10`. */
    min_length?: number;
    /** Brackets of the longest sequence. 1 to 512. Default: `40`. */
    max_length?: number;
    /** Kinds of brackets: ( ), [ ], { } and < >. 1 to 4. Default: `1`. */
    kinds?: number;
    /** Brackets that are open at the same time, at most. 1 to 64. Default: `8`. */
    depth?: number;
    /** Share of the sequences that is never learned from. 0 to 0.9. Default: `0.1`. */
    validation?: number;
  } }
  | /** True sentences about dates and numbers: three days after 28 february is 3 march. */
  { calendar: {
    /** Sentences in all, training and validation together. 10 to 50000. Default: `10000`. */
    samples?: number;
    /** Share of the sentences that are about dates; the others are about numbers. 0 to 1. Default: `0.5`. */
    dates?: number;
    /** Days from one date to the other, at most. 1 to 20. Default: `7`. */
    days?: number;
    /** The largest number that is added or taken away. 2 to 20. Default: `10`. */
    largest?: number;
    /** Whether one year of four has a 29 february. Sentences do not say which, so that what is one day after 28 february cannot be known. Default: `false`. */
    leap_years?: boolean;
    /** Share of the sentences that is never learned from. 0 to 0.9. Default: `0.2`. */
    validation?: number;
  } }
  | /** A text of your own, in windows: what comes next? */
  { text: {
    /** The text itself, kept in the experiment; without one, and without a file, a short example. Default: `""`. */
    text?: string;
    /** Name of a file to read when there is no text. Default: `""`. */
    file?: string;
    /** What one token is, where the tokenizer is learned from the text. Default: `"characters"`. */
    tokenizer?: "characters" | "bytes" | "words" | "bpe";
    /** Different tokens, at most, where they are words or merged bytes; 256 of them are the bytes. 257 to 20000. Default: `512`. */
    vocabulary?: number;
    /** A tokenizer.json of Hugging Face's tokenizers, kept in the experiment; without one, and without a file, a tokenizer is learned from the text. Default: `""`. */
    tokenizer_json?: string;
    /** Name of a tokenizer.json to read when the experiment holds none. Default: `""`. */
    tokenizer_file?: string;
    /** Tokens that the network sees at a time. 1 to 1024. Default: `64`. */
    context?: number;
    /** Whether every row of a batch reads on where it ended in the batch before, so that recurrent layers go on with the state they had there; otherwise windows begin anywhere, and states with zero. Default: `false`. */
    carry?: boolean;
    /** Share of the text, its end, that is never learned from. 0 to 0.9. Default: `0.1`. */
    validation?: number;
  } }
  | /** Small stories from a grammar, word by word or letter by letter. */
  { tinytales: {
    /** Stories in all, training and validation together. 10 to 50000. Default: `5000`. */
    samples?: number;
    /** Sentences between the first and the last, at most. 1 to 12. Default: `4`. */
    sentences?: number;
    /** What they are cut into. Default: `"word"`. */
    unit?: "word" | "character";
    /** Share of the stories that is never learned from. 0 to 0.9. Default: `0.1`. */
    validation?: number;
  } }
  | /** Sentences of a small grammar, word by word: verbs agree with nouns far before them. */
  { elman: {
    /** Texts in all, training and validation together. 10 to 20000. Default: `4000`. */
    samples?: number;
    /** Sentences of a text. 1 to 8. Default: `3`. */
    sentences?: number;
    /** How deep clauses may stand inside each other. 0 to 4. Default: `2`. */
    depth?: number;
    /** Share of the texts that is never learned from. 0 to 0.9. Default: `0.1`. */
    validation?: number;
  } }
  | /** Two sentences with hidden words: what are they, and are both of one story? */
  { masked: {
    /** Stories that sentences are taken from, training and validation together. 10 to 50000. Default: `5000`. */
    samples?: number;
    /** Sentences of a story between the first and the last, at most. 1 to 12. Default: `2`. */
    sentences?: number;
    /** Share of the words that are to be guessed: of ten of them eight are hidden, one is another word, and one stays as it is. 0.01 to 0.9. Default: `0.15`. */
    mask?: number;
    /** Share of the stories that is never learned from. 0 to 0.9. Default: `0.1`. */
    validation?: number;
  } }
  | /** A word and some others: which of them stood near it? */
  { skip_gram: {
    /** Sentences in all, training and validation together. 50 to 50000. Default: `5000`. */
    samples?: number;
    /** How far apart in a sentence two words are near each other. 1 to 10. Default: `5`. */
    window?: number;
    /** Words beside the right one, drawn by how often they come to the power of 0.75. 1 to 50. Default: `5`. */
    negatives?: number;
    /** Share of the sentences that is never learned from. 0 to 0.9. Default: `0.1`. */
    validation?: number;
  } }
  | /** Queries and the documents they ask for: royal girl neighing → she is the princess and … */
  { search: {
    /** Documents in all, each with a query of its own, training and validation together. 50 to 5000. Default: `2000`. */
    samples?: number;
    /** Share of the documents that is never learned from. 0 to 0.9. Default: `0.1`. */
    validation?: number;
  } };

/** Changes of the pictures that are learned from, drawn anew in every step. */
export type Augment = {
  /** Moved by up to this share of the picture, down and across. 0 to 0.5. Default: `0.0`. */
  shift?: number;
  /** Turned by up to so many degrees, to either side. 0 to 180. Default: `0.0`. */
  rotate?: number;
  /** Made larger or smaller by up to this share. 0 to 0.9. Default: `0.0`. */
  scale?: number;
  /** Every second picture is mirrored, left to right. Default: `false`. */
  flip?: boolean;
  /** Standard deviation of what is added to every pixel; white is 1. 0 to 1. Default: `0.0`. */
  noise?: number;
  /** Side of a square that is blacked out somewhere, as a share of the picture. 0 to 0.9. Default: `0.0`. */
  cutout?: number;
  /** Both parameters of the beta distribution of how much of another picture of the batch is blended in; the class is that of either one, as often as its share, so that the loss is in the mean that of both. 0 to 1. Default: `0.0`. */
  mixup?: number;
};

/** What training makes small. */
export type Loss =
  | "cross_entropy"
  | "bce_with_logits"
  | "mse"
  | "l1"
  | "huber"
  | "reconstruction"
  | "dice"
  | "negative_sampling"
  | "info_nce"
  | /** How unlikely the network holds the right class: for data with classes, one output per class. */
  { cross_entropy: {
    /** Share of the certainty that is spread over all classes, against overconfidence. 0 to 0.9. Default: `0.0`. */
    label_smoothing?: number;
    /** How much each class counts: a rare one is learned only if it counts more (`weight` in PyTorch). Default: `"none"`. */
    weight?: "none" | "balanced";
    /** Times the squared logarithm of the sum that probabilities are divided by, which is added: it keeps scores near 0 (z-loss). 0 to 1. Default: `0.0`. */
    z_loss?: number;
  } }
  | /** Cross-entropy for two classes with a single output, the log-odds of the second class. */
  { bce_with_logits: Record<string, never> }
  | /** Mean of the squared differences; two classes are −1 and 1. */
  { mse: Record<string, never> }
  | /** Mean of the absolute differences: outliers pull no harder than others. Two classes are −1 and 1. */
  { l1: Record<string, never> }
  | /** Squared for small differences, absolute for large ones. Two classes are −1 and 1. */
  { huber: {
    /** Where small ends. 0.001 to 1000. Default: `1.0`. */
    delta?: number;
  } }
  | /** Mean of the squared differences between what the network gives and what it was given: for autoencoders, which learn without answers. */
  { reconstruction: Record<string, never> }
  | /** How far the masks of the classes are from covering the right ones: for a class for every pixel, where most pixels are background. */
  { dice: Record<string, never> }
  | /** Says of each class by itself whether it is the right one, `−log σ(score)` of the right one and `−log σ(−score)` of all others: for vectors of words. */
  { negative_sampling: Record<string, never> }
  | /** The cross-entropy of finding what belongs to a sample among all of the batch, by the cosine of two vectors: the network gives both, one half of its outputs each. For two towers. */
  { info_nce: {
    /** What cosines are divided by: the smaller, the more it is about those that are nearly as like as the right one. 0.01 to 10. Default: `0.07`. */
    temperature?: number;
  } };

/** How gradients become changes of weights. */
export type Optimizer =
  | "sgd"
  | "adagrad"
  | "rmsprop"
  | "adam"
  | "adamw"
  | "lion"
  | "muon"
  | /** A step straight downhill, with momentum if wanted. */
  { sgd: {
    /** Length of a step relative to the slope. 0 to 1000. Default: `0.001`. */
    lr?: number;
    /** How much of the previous step is kept. 0 to 1. Default: `0.0`. */
    momentum?: number;
    /** How much of the gradient does not enter the momentum. 0 to 1. Default: `0.0`. */
    dampening?: number;
    /** Look ahead along the momentum. Default: `false`. */
    nesterov?: boolean;
    /** Pull of every weight towards zero. 0 to 10. Default: `0.0`. */
    weight_decay?: number;
  } }
  | /** Every weight has its own step length, which only gets shorter, soonest where gradients are large. */
  { adagrad: {
    /** Length of a step. 0 to 1000. Default: `0.01`. */
    lr?: number;
    /** How fast the learning rate falls besides: `lr / (1 + lr_decay · t)` at step t. 0 to 10. Default: `0.0`. */
    lr_decay?: number;
    /** Added to the denominator. 0 to 1. Default: `1e-10`. */
    eps?: number;
    /** Pull of every weight towards zero. 0 to 10. Default: `0.0`. */
    weight_decay?: number;
  } }
  | /** Every weight has its own step length, shorter where gradients are large. */
  { rmsprop: {
    /** Length of a step. 0 to 1000. Default: `0.01`. */
    lr?: number;
    /** How slowly the average of squared gradients moves. 0 to 1. Default: `0.99`. */
    alpha?: number;
    /** Added to the denominator. 0 to 1. Default: `1e-8`. */
    eps?: number;
    /** How much of the previous step is kept. 0 to 1. Default: `0.0`. */
    momentum?: number;
    /** Pull of every weight towards zero. 0 to 10. Default: `0.0`. */
    weight_decay?: number;
  } }
  | /** Momentum and a step length of its own for every weight: works nearly everywhere without much tuning. */
  { adam: {
    /** Length of a step. 0 to 1000. Default: `0.001`. */
    lr?: number;
    /** How slowly the averages of gradients and of squared gradients move. Default: `[0.9,0.999]`. */
    betas?: Array<number>;
    /** Added to the denominator. 0 to 1. Default: `1e-8`. */
    eps?: number;
    /** Pull of every weight towards zero, through the gradient. 0 to 10. Default: `0.0`. */
    weight_decay?: number;
  } }
  | /** Adam with a weight decay that does not pass through the gradient. */
  { adamw: {
    /** Length of a step. 0 to 1000. Default: `0.001`. */
    lr?: number;
    /** How slowly the averages of gradients and of squared gradients move. Default: `[0.9,0.999]`. */
    betas?: Array<number>;
    /** Added to the denominator. 0 to 1. Default: `1e-8`. */
    eps?: number;
    /** Share of every weight that a step takes away, times the learning rate. 0 to 10. Default: `0.01`. */
    weight_decay?: number;
  } }
  | /** Every weight moves by the same amount, only the direction is learned: wants a third to a tenth of Adam's learning rate. */
  { lion: {
    /** Length of a step. 0 to 1000. Default: `0.0001`. */
    lr?: number;
    /** How much of the momentum is in a step's direction, and how slowly the momentum itself moves. Default: `[0.9,0.99]`. */
    betas?: Array<number>;
    /** Share of every weight that a step takes away, times the learning rate. 0 to 10. Default: `0.0`. */
    weight_decay?: number;
  } }
  | /** Weights of hidden layers move as matrices, equally far in all directions; embeddings, biases, norms, kernels of convolutions and the last layer as with AdamW. */
  { muon: {
    /** Length of a step of the matrices; 0.02 is usual, or AdamW's where lengths match it. 0.000000001 to 1000. Default: `0.001`. */
    lr?: number;
    /** Share of every matrix that a step takes away, times the learning rate. 0 to 10. Default: `0.1`. */
    weight_decay?: number;
    /** How slowly the average of the gradients moves. 0 to 0.999999. Default: `0.95`. */
    momentum?: number;
    /** Look ahead along the momentum. Default: `true`. */
    nesterov?: boolean;
    /** What makes a matrix orthogonal: a, b and c of a·x + b·x³ + c·x⁵, which moves its singular values towards 1. Default: `[3.4445,-4.775,2.0315]`. */
    ns_coefficients?: Array<number>;
    /** The smallest norm that a matrix is divided by. 0 to 1. Default: `1e-7`. */
    eps?: number;
    /** How often this is done; more rounds come closer to orthogonal. 1 to 10. Default: `5`. */
    ns_steps?: number;
    /** How a step's length depends on the matrix. Default: `"original"`. */
    adjust_lr_fn?: "original" | "match_rms_adamw";
    /** Length of a step of everything else. The schedule changes both alike. 0 to 1000. Default: `0.001`. */
    adamw_lr?: number;
    /** How slowly AdamW's averages of gradients and of squared gradients move. Default: `[0.9,0.999]`. */
    adamw_betas?: Array<number>;
    /** Added to AdamW's denominator. 0 to 1. Default: `1e-8`. */
    adamw_eps?: number;
    /** Share of everything else that a step takes away, times AdamW's learning rate. 0 to 10. Default: `0.01`. */
    adamw_weight_decay?: number;
  } };

/** How the learning rate changes over time. */
export type Schedule =
  | "constant"
  | "step"
  | "exponential"
  | "linear"
  | "cosine"
  | "one_cycle"
  | "reduce_on_plateau"
  | /** The same rate all the time: `lr`. */
  { constant: {
    /** Steps in which the rate climbs from nearly zero. 0 to 1000000. Default: `0`. */
    warmup?: number;
  } }
  | /** Falls to a fraction of itself at regular intervals: `lr · gamma^⌊s / every⌋`. */
  { step: {
    /** Steps between two falls. 1 to 1000000000. Default: `1000`. */
    every?: number;
    /** Factor by which every fall multiplies the rate. 0 to 1. Default: `0.1`. */
    gamma?: number;
    /** Steps in which the rate climbs from nearly zero. 0 to 1000000. Default: `0`. */
    warmup?: number;
  } }
  | /** Falls to a fraction of itself at every step: `lr · gammaˢ`. */
  { exponential: {
    /** Factor by which every step multiplies the rate. 0 to 1. Default: `0.999`. */
    gamma?: number;
    /** Steps in which the rate climbs from nearly zero. 0 to 1000000. Default: `0`. */
    warmup?: number;
  } }
  | /** Falls in a straight line: `lr · (1 + (end_factor − 1) · min(s / T, 1))`. */
  { linear: {
    /** What is left of the rate at the end. 0 to 1. Default: `0.0`. */
    end_factor?: number;
    /** Steps in which the rate climbs from nearly zero. 0 to 1000000. Default: `0`. */
    warmup?: number;
  } }
  | /** Falls slowly, then fast, then slowly: `eta_min + (lr − eta_min) · (1 + cos(π · min(s / T, 1))) / 2`. */
  { cosine: {
    /** The rate at the end. 0 to 1. Default: `0.0`. */
    eta_min?: number;
    /** Steps in which the rate climbs from nearly zero. 0 to 1000000. Default: `0`. */
    warmup?: number;
  } }
  | /** Climbs from a fraction of the learning rate to all of it, then falls to nearly nothing, both along half a cosine. The learning rate is the highest one. */
  { one_cycle: {
    /** Share of the steps in which the rate climbs. 0 to 1. Default: `0.3`. */
    pct_start?: number;
    /** The first rate is the learning rate divided by this. 1 to 1000000. Default: `25.0`. */
    div_factor?: number;
    /** The last rate is the first divided by this. 1 to 1000000000. Default: `10000.0`. */
    final_div_factor?: number;
  } }
  | /** Falls to a fraction of itself when the validation loss has not become lower for some evaluations. */
  { reduce_on_plateau: {
    /** Factor by which every fall multiplies the rate. 0 to 0.999. Default: `0.1`. */
    factor?: number;
    /** Evaluations without a lower loss that are waited for. 0 to 1000. Default: `10`. */
    patience?: number;
    /** Share of the lowest loss by which a lower one has to be below it. 0 to 1. Default: `0.0001`. */
    threshold?: number;
    /** Evaluations after a fall that are not counted. 0 to 1000. Default: `0`. */
    cooldown?: number;
    /** The rate falls no lower. 0 to 1000. Default: `0.0`. */
    min_lr?: number;
  } };

/** How training runs. */
export type Training = {
  /** Samples per step. 1 to 65536. Default: `32`. */
  batch_size?: number;
  /** Batches whose mean gradient makes a step: as one so many times as large, in the memory of one. 1 to 256. Default: `1`. */
  accumulate?: number;
  /** Steps after which the run rests; empty is until stopped. 1 to 1000000000000. */
  steps?: number | null;
  /** Gradients are scaled down when all together they are longer than this. 0.000001 to 1000000000. */
  clip_norm?: number | null;
  /** No element of a gradient is larger than this. 0.000001 to 1000000000. */
  clip_value?: number | null;
  /** Penalty on the magnitude of weights: drives unneeded ones to zero. 0 to 10. Default: `0.0`. */
  l1?: number;
  /** Penalty on the square of weights (half the factor times the square): keeps them small. 0 to 10. Default: `0.0`. */
  l2?: number;
  /** An average that follows the weights is what is evaluated and predicts; this is what it keeps of itself per step. 0 to 0.999999. */
  ema?: number | null;
  /** Steps between two evaluations on the validation data. 1 to 1000000. Default: `50`. */
  eval_every?: number;
  /** Whether weight decay also pulls at biases and at the factors of norms, which have one dimension; otherwise at matrices and kernels only. Default: `true`. */
  decay_all?: boolean;
  /** So many layers at the beginning of the model keep their weights as they are, and also where other data are to be learned. 0 to 1000. Default: `0`. */
  frozen?: number;
  /** Evaluations in a row without a better one after which the run rests; empty is never. 1 to 200. */
  patience?: number | null;
  /** What has to become better for a run with patience. Default: `"validation_loss"`. */
  patience_metric?: "validation_loss" | "validation_accuracy";
};

/** What the page shows; the engine ignores it. */
export type View = {
  /** Steps per second, or "max" for as many as possible. Default: `300.0`. */
  pace?: number | "max";
  /** Panels that are open, in order; empty is the page's choice. Default: `[]`. */
  panels?: Array<string>;
  /** Controls that a teacher takes away. Default: `[]`. */
  hide?: Array<string>;
};

/** A part of the model. */
export type Layer =
  | "linear"
  | "relu"
  | "leaky_relu"
  | "elu"
  | "gelu"
  | "silu"
  | "mish"
  | "tanh"
  | "sigmoid"
  | "softplus"
  | "hardtanh"
  | "sin"
  | "softsign"
  | "hardswish"
  | "dropout"
  | "flatten"
  | "residual"
  | "concat"
  | "repeat"
  | "embedding"
  | "mean_over_time"
  | "input"
  | "name"
  | "cat"
  | "add"
  | "batch_norm"
  | "reshape"
  | "conv2d"
  | "max_pool2d"
  | "avg_pool2d"
  | "rnn"
  | "lstm"
  | "gru"
  | "layer_norm"
  | "rms_norm"
  | "group_norm"
  | "instance_norm"
  | "positions"
  | "multi_head_attention"
  | "transformer_block"
  | "conv1d"
  | "conv_transpose2d"
  | "max_pool1d"
  | "avg_pool1d"
  | "adaptive_avg_pool2d"
  | "upsample"
  | "pixel_shuffle"
  | "dropout2d"
  | "transpose"
  | "patch_embedding"
  | "class_token"
  | "select"
  | "dot"
  | "transformer_decoder_block"
  | /** Every output is a weighted sum of all inputs: `y = x Wᵀ + b`; of a sequence, at every step. */
  { linear: {
    /** Number of outputs, or "classes" or "targets" for as many as the data asks for. Default: `8`. */
    out?: number | "classes" | "targets";
    /** Whether a learned constant is added to every output. Default: `true`. */
    bias?: boolean;
    /** Whether its weight is that of an embedding, which is learned once for both: the last one before it with as many tokens as this has outputs and as many dimensions as this has inputs. Default: `false`. */
    tied?: boolean;
    /** How the weights are drawn at the start. Default: `"default"`. */
    init?: 
      | "default"
      | "xavier_uniform"
      | "xavier_normal"
      | "kaiming_uniform"
      | "kaiming_normal"
      | "normal"
      | "uniform"
      | "orthogonal"
      | "zeros"
      | /** PyTorch's own: evenly from ±1/√inputs, bias included. */
      { default: Record<string, never> }
      | /** Evenly, so that signals keep their size forwards and backwards (Glorot and Bengio, 2010); suits tanh. */
      { xavier_uniform: Record<string, never> }
      | /** The same from a normal distribution. */
      { xavier_normal: Record<string, never> }
      | /** Evenly, so that signals keep their size through relu (He et al., 2015). */
      { kaiming_uniform: Record<string, never> }
      | /** The same from a normal distribution. */
      { kaiming_normal: Record<string, never> }
      | /** From a normal distribution of a given width. */
      { normal: {
        /** Standard deviation. 0 to 100. Default: `0.02`. */
        std?: number;
      } }
      | /** Evenly from a given range around zero. */
      { uniform: {
        /** Largest magnitude. 0 to 100. Default: `0.1`. */
        bound?: number;
      } }
      | /** A rotation: signals keep their length exactly, however many layers (Saxe et al., 2014); suits recurrent weights. */
      { orthogonal: {
        /** Length of what was of length 1. 0 to 100. Default: `1.0`. */
        gain?: number;
      } }
      | /** All zero: see what goes wrong when all units are alike. */
      { zeros: Record<string, never> };
  } }
  | /** Passes what is positive, blocks the rest. */
  { relu: Record<string, never> }
  | /** Passes what is positive, and a little of the rest, so that no unit dies. */
  { leaky_relu: {
    /** Slope below zero. 0 to 1. Default: `0.01`. */
    negative_slope?: number;
  } }
  | /** Like ReLU, but falls smoothly to −alpha. */
  { elu: {
    /** How far it falls. 0 to 10. Default: `1.0`. */
    alpha?: number;
  } }
  | /** A smooth ReLU: the input times the share of a normal distribution below it. */
  { gelu: {
    /** Exact, or approximated through a hyperbolic tangent. Default: `"none"`. */
    approximate?: "none" | "tanh";
  } }
  | /** A smooth ReLU: the input times its sigmoid. Also called swish. */
  { silu: Record<string, never> }
  | /** A smooth ReLU: the input times tanh of its softplus. */
  { mish: Record<string, never> }
  | /** An S between −1 and 1. */
  { tanh: Record<string, never> }
  | /** An S between 0 and 1. */
  { sigmoid: Record<string, never> }
  | /** A smooth ReLU: log(1 + eˣ). */
  { softplus: Record<string, never> }
  | /** A straight line, cut off at both ends. */
  { hardtanh: {
    /** Lower end. -100 to 0. Default: `-1.0`. */
    min_val?: number;
    /** Upper end. 0 to 100. Default: `1.0`. */
    max_val?: number;
  } }
  | /** A wave: good at what repeats. */
  { sin: Record<string, never> }
  | /** An S between −1 and 1 that levels off slowly: x / (1 + |x|). */
  { softsign: Record<string, never> }
  | /** SiLU in straight lines: the input times itself, cut off between −3 and 3. */
  { hardswish: Record<string, never> }
  | /** While training, sets a random part to zero and scales the rest up, so that no unit relies on another. */
  { dropout: {
    /** Share that is set to zero. 0 to 0.95. Default: `0.5`. */
    p?: number;
  } }
  | /** Puts all numbers of a sample into one row. */
  { flatten: Record<string, never> }
  | /** Adds its input to what the layers inside make of it; where they change its shape, the input goes through a learned projection first. */
  { residual: Array<Layer> }
  | /** Sends its input through several branches and puts their outputs side by side. */
  { concat: Array<Array<Layer>> }
  | /** The same layers several times in a row, each time with weights of their own. */
  { repeat: {
    /** How often. 1 to 100. Default: `2`. */
    times?: number;
    /** What is repeated. */
    body: Array<Layer>;
  } }
  | /** A learned vector for every token; how many tokens there are, the data says. */
  { embedding: {
    /** Numbers per token. 1 to 4096. Default: `16`. */
    dim?: number;
    /** Standard deviation of the vectors at the start: PyTorch's 1, or less where an output shares them, such as GPT-2's 0.02. 0 to 10. Default: `1.0`. */
    std?: number;
    /** A token whose vector is zero and is not learned, such as what sequences are filled up with. 0 to 1000000. */
    padding_idx?: number | null;
  } }
  | /** The mean of all steps of a sequence; padding does not count. */
  { mean_over_time: Record<string, never> }
  | /** Goes on from a field of the data instead of what comes before. */
  { input: string }
  | /** Names what stands here, so that a later layer can take it as its second input. */
  { name: string }
  | /** Puts what was named elsewhere behind what comes before, side by side. */
  { cat: {
    /** Name of the second part: one that a `name` layer before this gave. Default: `""`. */
    from?: string;
  } }
  | /** Adds what was named elsewhere to what comes before, number by number. */
  { add: {
    /** Name of what is added: one that a `name` layer before this gave. Default: `""`. */
    from?: string;
  } }
  | /** Gives every number mean 0 and variance 1 over the batch while training, and over what it has seen so far everywhere else. */
  { batch_norm: {
    /** Added to the variance, so that a number which never changes is not divided by zero. 0.000000000001 to 1. Default: `0.00001`. */
    eps?: number;
    /** How much a batch moves the running mean and variance. 0 to 1. Default: `0.1`. */
    momentum?: number;
    /** Whether a learned factor and a learned constant follow. Default: `true`. */
    affine?: boolean;
  } }
  | /** Arranges the numbers of a sample as an image, channel by channel and row by row. */
  { reshape: {
    /** Number of channels. 1 to 4096. Default: `1`. */
    channels?: number;
    /** Rows of pixels. 1 to 4096. Default: `8`. */
    height?: number;
    /** Pixels in a row. 1 to 4096. Default: `8`. */
    width?: number;
  } }
  | /** Every output channel is a small kernel that slides over the image and looks for the same thing everywhere. */
  { conv2d: {
    /** Number of kernels, each of which gives a channel. 1 to 4096. Default: `8`. */
    out_channels?: number;
    /** Height and width of a kernel. 1 to 64. Default: `3`. */
    kernel_size?: number;
    /** How far a kernel moves from a place to the next. 1 to 64. Default: `1`. */
    stride?: number;
    /** Border of the image on each side, or "same" for an output as large as the image. Default: `0`. */
    padding?: number | "same";
    /** How far the pixels that a kernel sees lie apart. 1 to 64. Default: `1`. */
    dilation?: number;
    /** Parts of the channels that do not meet; as many as channels make each a picture of its own. 1 to 4096. Default: `1`. */
    groups?: number;
    /** Whether a learned constant is added to every channel. Default: `true`. */
    bias?: boolean;
    /** What stands in the border. Default: `"zeros"`. */
    padding_mode?: "zeros" | "reflect";
    /** How the weights are drawn at the start. Default: `"default"`. */
    init?: 
      | "default"
      | "xavier_uniform"
      | "xavier_normal"
      | "kaiming_uniform"
      | "kaiming_normal"
      | "normal"
      | "uniform"
      | "orthogonal"
      | "zeros"
      | /** PyTorch's own: evenly from ±1/√inputs, bias included. */
      { default: Record<string, never> }
      | /** Evenly, so that signals keep their size forwards and backwards (Glorot and Bengio, 2010); suits tanh. */
      { xavier_uniform: Record<string, never> }
      | /** The same from a normal distribution. */
      { xavier_normal: Record<string, never> }
      | /** Evenly, so that signals keep their size through relu (He et al., 2015). */
      { kaiming_uniform: Record<string, never> }
      | /** The same from a normal distribution. */
      { kaiming_normal: Record<string, never> }
      | /** From a normal distribution of a given width. */
      { normal: {
        /** Standard deviation. 0 to 100. Default: `0.02`. */
        std?: number;
      } }
      | /** Evenly from a given range around zero. */
      { uniform: {
        /** Largest magnitude. 0 to 100. Default: `0.1`. */
        bound?: number;
      } }
      | /** A rotation: signals keep their length exactly, however many layers (Saxe et al., 2014); suits recurrent weights. */
      { orthogonal: {
        /** Length of what was of length 1. 0 to 100. Default: `1.0`. */
        gain?: number;
      } }
      | /** All zero: see what goes wrong when all units are alike. */
      { zeros: Record<string, never> };
  } }
  | /** Keeps the largest number of each small window: what was found stays, where exactly is forgotten. */
  { max_pool2d: {
    /** Height and width of a window. 1 to 64. Default: `2`. */
    kernel_size?: number;
    /** How far a window moves from a place to the next; 0 for as far as it is wide. 0 to 64. Default: `0`. */
    stride?: number;
    /** Border on each side, which is never the largest. 0 to 32. Default: `0`. */
    padding?: number;
  } }
  | /** Replaces each small window by its mean. */
  { avg_pool2d: {
    /** Height and width of a window. 1 to 64. Default: `2`. */
    kernel_size?: number;
    /** How far a window moves from a place to the next; 0 for as far as it is wide. 0 to 64. Default: `0`. */
    stride?: number;
    /** Border of zeros on each side. 0 to 32. Default: `0`. */
    padding?: number;
    /** Whether the zeros of the border count for the mean. Default: `true`. */
    count_include_pad?: boolean;
  } }
  | /** Reads a sequence step by step: its state is a function of the step's input and of the state before. */
  { rnn: {
    /** Numbers in the state. 1 to 1024. Default: `32`. */
    hidden_size?: number;
    /** The function that makes the next state. Default: `"tanh"`. */
    nonlinearity?: "tanh" | "relu";
    /** Layers on top of each other; each reads the states of the one below. 1 to 8. Default: `1`. */
    num_layers?: number;
    /** Whether a second one reads from the end to the beginning, and both give their states. Default: `false`. */
    bidirectional?: boolean;
    /** Share of what goes from one layer to the next that is set to zero while training. 0 to 0.95. Default: `0.0`. */
    dropout?: number;
    /** What it gives of the states of all steps; steps past the end of a sequence do not count. Default: `"last"`. */
    output?: "last" | "all" | "mean" | "max";
    /** Whether what inputs and states give is normed at every step. Default: `false`. */
    layer_norm?: boolean;
    /** How the weights from a state to the next are drawn at the start; all other weights are drawn as by default. Default: `"default"`. */
    init?: 
      | "default"
      | "xavier_uniform"
      | "xavier_normal"
      | "kaiming_uniform"
      | "kaiming_normal"
      | "normal"
      | "uniform"
      | "orthogonal"
      | "zeros"
      | /** PyTorch's own: evenly from ±1/√inputs, bias included. */
      { default: Record<string, never> }
      | /** Evenly, so that signals keep their size forwards and backwards (Glorot and Bengio, 2010); suits tanh. */
      { xavier_uniform: Record<string, never> }
      | /** The same from a normal distribution. */
      { xavier_normal: Record<string, never> }
      | /** Evenly, so that signals keep their size through relu (He et al., 2015). */
      { kaiming_uniform: Record<string, never> }
      | /** The same from a normal distribution. */
      { kaiming_normal: Record<string, never> }
      | /** From a normal distribution of a given width. */
      { normal: {
        /** Standard deviation. 0 to 100. Default: `0.02`. */
        std?: number;
      } }
      | /** Evenly from a given range around zero. */
      { uniform: {
        /** Largest magnitude. 0 to 100. Default: `0.1`. */
        bound?: number;
      } }
      | /** A rotation: signals keep their length exactly, however many layers (Saxe et al., 2014); suits recurrent weights. */
      { orthogonal: {
        /** Length of what was of length 1. 0 to 100. Default: `1.0`. */
        gain?: number;
      } }
      | /** All zero: see what goes wrong when all units are alike. */
      { zeros: Record<string, never> };
  } }
  | /** Reads a sequence step by step and keeps a cell beside its state: gates decide what goes in, what stays and what is shown. */
  { lstm: {
    /** Numbers in the state. 1 to 1024. Default: `32`. */
    hidden_size?: number;
    /** What the bias of the forget gate begins with, in place of a random number: with 1 a new layer keeps what it has read. -10 to 10. */
    forget_bias?: number | null;
    /** Layers on top of each other; each reads the states of the one below. 1 to 8. Default: `1`. */
    num_layers?: number;
    /** Whether a second one reads from the end to the beginning, and both give their states. Default: `false`. */
    bidirectional?: boolean;
    /** Share of what goes from one layer to the next that is set to zero while training. 0 to 0.95. Default: `0.0`. */
    dropout?: number;
    /** What it gives of the states of all steps; steps past the end of a sequence do not count. Default: `"last"`. */
    output?: "last" | "all" | "mean" | "max";
    /** Whether what inputs and states give is normed at every step, and the cell, too. Default: `false`. */
    layer_norm?: boolean;
    /** How the weights from a state to the next are drawn at the start; all other weights are drawn as by default. Default: `"default"`. */
    init?: 
      | "default"
      | "xavier_uniform"
      | "xavier_normal"
      | "kaiming_uniform"
      | "kaiming_normal"
      | "normal"
      | "uniform"
      | "orthogonal"
      | "zeros"
      | /** PyTorch's own: evenly from ±1/√inputs, bias included. */
      { default: Record<string, never> }
      | /** Evenly, so that signals keep their size forwards and backwards (Glorot and Bengio, 2010); suits tanh. */
      { xavier_uniform: Record<string, never> }
      | /** The same from a normal distribution. */
      { xavier_normal: Record<string, never> }
      | /** Evenly, so that signals keep their size through relu (He et al., 2015). */
      { kaiming_uniform: Record<string, never> }
      | /** The same from a normal distribution. */
      { kaiming_normal: Record<string, never> }
      | /** From a normal distribution of a given width. */
      { normal: {
        /** Standard deviation. 0 to 100. Default: `0.02`. */
        std?: number;
      } }
      | /** Evenly from a given range around zero. */
      { uniform: {
        /** Largest magnitude. 0 to 100. Default: `0.1`. */
        bound?: number;
      } }
      | /** A rotation: signals keep their length exactly, however many layers (Saxe et al., 2014); suits recurrent weights. */
      { orthogonal: {
        /** Length of what was of length 1. 0 to 100. Default: `1.0`. */
        gain?: number;
      } }
      | /** All zero: see what goes wrong when all units are alike. */
      { zeros: Record<string, never> };
  } }
  | /** Reads a sequence step by step; two gates decide how much of its state it keeps and how much of it the next one sees. */
  { gru: {
    /** Numbers in the state. 1 to 1024. Default: `32`. */
    hidden_size?: number;
    /** Layers on top of each other; each reads the states of the one below. 1 to 8. Default: `1`. */
    num_layers?: number;
    /** Whether a second one reads from the end to the beginning, and both give their states. Default: `false`. */
    bidirectional?: boolean;
    /** Share of what goes from one layer to the next that is set to zero while training. 0 to 0.95. Default: `0.0`. */
    dropout?: number;
    /** What it gives of the states of all steps; steps past the end of a sequence do not count. Default: `"last"`. */
    output?: "last" | "all" | "mean" | "max";
    /** Whether what inputs and states give is normed at every step. Default: `false`. */
    layer_norm?: boolean;
    /** How the weights from a state to the next are drawn at the start; all other weights are drawn as by default. Default: `"default"`. */
    init?: 
      | "default"
      | "xavier_uniform"
      | "xavier_normal"
      | "kaiming_uniform"
      | "kaiming_normal"
      | "normal"
      | "uniform"
      | "orthogonal"
      | "zeros"
      | /** PyTorch's own: evenly from ±1/√inputs, bias included. */
      { default: Record<string, never> }
      | /** Evenly, so that signals keep their size forwards and backwards (Glorot and Bengio, 2010); suits tanh. */
      { xavier_uniform: Record<string, never> }
      | /** The same from a normal distribution. */
      { xavier_normal: Record<string, never> }
      | /** Evenly, so that signals keep their size through relu (He et al., 2015). */
      { kaiming_uniform: Record<string, never> }
      | /** The same from a normal distribution. */
      { kaiming_normal: Record<string, never> }
      | /** From a normal distribution of a given width. */
      { normal: {
        /** Standard deviation. 0 to 100. Default: `0.02`. */
        std?: number;
      } }
      | /** Evenly from a given range around zero. */
      { uniform: {
        /** Largest magnitude. 0 to 100. Default: `0.1`. */
        bound?: number;
      } }
      | /** A rotation: signals keep their length exactly, however many layers (Saxe et al., 2014); suits recurrent weights. */
      { orthogonal: {
        /** Length of what was of length 1. 0 to 100. Default: `1.0`. */
        gain?: number;
      } }
      | /** All zero: see what goes wrong when all units are alike. */
      { zeros: Record<string, never> };
  } }
  | /** Gives every vector mean 0 and variance 1, then a learned factor and a learned constant for each of its numbers. */
  { layer_norm: {
    /** Added to the variance, so that a vector of equal numbers is not divided by zero. 0.000000000001 to 1. Default: `0.00001`. */
    eps?: number;
    /** Whether a learned factor and a learned constant follow. Default: `true`. */
    elementwise_affine?: boolean;
    /** Whether there is a learned constant beside the factor. Default: `true`. */
    bias?: boolean;
  } }
  | /** Gives every vector mean square 1, then a learned factor for each of its numbers. */
  { rms_norm: {
    /** Added to the mean square, so that a vector of zeros is not divided by zero. 0.000000000001 to 1. Default: `1e-6`. */
    eps?: number;
    /** Whether a learned factor follows. Default: `true`. */
    elementwise_affine?: boolean;
  } }
  | /** Gives groups of channels mean 0 and variance 1 within each sample, then every channel a learned factor and a learned constant. */
  { group_norm: {
    /** Into how many groups the channels are divided. 1 to 4096. Default: `1`. */
    num_groups?: number;
    /** Added to the variance, so that a group of equal numbers is not divided by zero. 0.000000000001 to 1. Default: `0.00001`. */
    eps?: number;
    /** Whether a learned factor and a learned constant follow. Default: `true`. */
    affine?: boolean;
  } }
  | /** Gives every channel mean 0 and variance 1 within each sample. */
  { instance_norm: {
    /** Added to the variance, so that a channel of equal numbers is not divided by zero. 0.000000000001 to 1. Default: `0.00001`. */
    eps?: number;
    /** Whether a learned factor and a learned constant follow. Default: `false`. */
    affine?: boolean;
  } }
  | /** Adds to every vector of a sequence one that stands for its position. */
  { positions: {
    /** What stands for a position. Default: `"learned"`. */
    kind?: "learned" | "sinusoidal";
  } }
  | /** Every vector of a sequence takes something from those it looks at: several heads, each with queries, keys and values of its own. */
  { multi_head_attention: {
    /** Number of heads; the numbers of a vector are divided among them. 1 to 64. Default: `4`. */
    num_heads?: number;
    /** Heads of keys and values, where several heads share them; as many as heads where nothing is said. 1 to 64. */
    kv_heads?: number | null;
    /** Whether a vector looks only at itself and at what comes before it. Default: `false`. */
    causal?: boolean;
    /** How far it looks, itself counted: 1 is itself alone; everything where nothing is said. 1 to 65536. */
    window?: number | null;
    /** Whether queries and keys are turned by their position, so that what counts is the distance. Default: `false`. */
    rotary?: boolean;
    /** Whether far vectors count less, each head by its own slope. Default: `false`. */
    alibi?: boolean;
    /** Bends scores so that none is larger than this; nothing where nothing is said. 0.01 to 1000. */
    soft_cap?: number | null;
    /** Whether every query and every key is given mean square 1, and then learned factors, before they meet: scores stay in bounds. Default: `false`. */
    qk_norm?: boolean;
    /** Whether learned constants are added. Default: `true`. */
    bias?: boolean;
    /** Name of the sequence that is looked at, one that a `name` layer before this gave; its own where it is empty. Default: `""`. */
    from?: string;
  } }
  | /** A block of a transformer: vectors of a sequence look at each other, then each is changed by itself. */
  { transformer_block: {
    /** Number of heads; the numbers of a vector are divided among them. 1 to 64. Default: `4`. */
    num_heads?: number;
    /** Heads of keys and values, where several heads share them; as many as heads where nothing is said. 1 to 64. */
    kv_heads?: number | null;
    /** Whether a vector looks only at itself and at what comes before it. Default: `false`. */
    causal?: boolean;
    /** How far it looks, itself counted; everything where nothing is said. 1 to 65536. */
    window?: number | null;
    /** Whether queries and keys are turned by their position, so that what counts is the distance. Default: `false`. */
    rotary?: boolean;
    /** Whether far vectors count less, each head by its own slope. Default: `false`. */
    alibi?: boolean;
    /** Whether every query and every key is given mean square 1, and then learned factors, before they meet: scores stay in bounds. Default: `false`. */
    qk_norm?: boolean;
    /** Units of the feed-forward network; four times the numbers of a vector where nothing is said. 1 to 16384. */
    dim_feedforward?: number | null;
    /** The function inside the feed-forward network. Default: `"gelu"`. */
    activation?: "gelu" | "gelu_tanh" | "relu" | "swiglu";
    /** Which norm. Default: `"layer_norm"`. */
    norm?: "layer_norm" | "rms_norm";
    /** Whether norms come before attention and feed-forward network, or behind what these add. Default: `true`. */
    norm_first?: boolean;
    /** Share of what attention and feed-forward network add that is dropped while training. 0 to 0.95. Default: `0.0`. */
    dropout?: number;
  } }
  | /** Every output channel is a small kernel that slides along the numbers of all channels and looks for the same thing everywhere. */
  { conv1d: {
    /** Number of kernels, each of which gives a channel. 1 to 4096. Default: `8`. */
    out_channels?: number;
    /** Length of a kernel. 1 to 64. Default: `3`. */
    kernel_size?: number;
    /** How far a kernel moves from a place to the next. 1 to 64. Default: `1`. */
    stride?: number;
    /** Border on each side, or "same" for an output as long as the input. Default: `0`. */
    padding?: number | "same";
    /** How far the numbers that a kernel sees lie apart. 1 to 64. Default: `1`. */
    dilation?: number;
    /** Parts of the channels that do not meet; as many as channels make each a line of its own. 1 to 4096. Default: `1`. */
    groups?: number;
    /** Whether a learned constant is added to every channel. Default: `true`. */
    bias?: boolean;
    /** What stands in the border. Default: `"zeros"`. */
    padding_mode?: "zeros" | "reflect";
    /** How the weights are drawn at the start. Default: `"default"`. */
    init?: 
      | "default"
      | "xavier_uniform"
      | "xavier_normal"
      | "kaiming_uniform"
      | "kaiming_normal"
      | "normal"
      | "uniform"
      | "orthogonal"
      | "zeros"
      | /** PyTorch's own: evenly from ±1/√inputs, bias included. */
      { default: Record<string, never> }
      | /** Evenly, so that signals keep their size forwards and backwards (Glorot and Bengio, 2010); suits tanh. */
      { xavier_uniform: Record<string, never> }
      | /** The same from a normal distribution. */
      { xavier_normal: Record<string, never> }
      | /** Evenly, so that signals keep their size through relu (He et al., 2015). */
      { kaiming_uniform: Record<string, never> }
      | /** The same from a normal distribution. */
      { kaiming_normal: Record<string, never> }
      | /** From a normal distribution of a given width. */
      { normal: {
        /** Standard deviation. 0 to 100. Default: `0.02`. */
        std?: number;
      } }
      | /** Evenly from a given range around zero. */
      { uniform: {
        /** Largest magnitude. 0 to 100. Default: `0.1`. */
        bound?: number;
      } }
      | /** A rotation: signals keep their length exactly, however many layers (Saxe et al., 2014); suits recurrent weights. */
      { orthogonal: {
        /** Length of what was of length 1. 0 to 100. Default: `1.0`. */
        gain?: number;
      } }
      | /** All zero: see what goes wrong when all units are alike. */
      { zeros: Record<string, never> };
  } }
  | /** Every number of the image paints a kernel into a larger one, and where they overlap they add up. */
  { conv_transpose2d: {
    /** Number of channels that it gives. 1 to 4096. Default: `8`. */
    out_channels?: number;
    /** Height and width of a kernel. 1 to 64. Default: `3`. */
    kernel_size?: number;
    /** How far the kernels of neighbours lie apart: how many times larger the image becomes. 1 to 64. Default: `1`. */
    stride?: number;
    /** What is cut off on each side. 0 to 64. Default: `0`. */
    padding?: number;
    /** Rows and columns added below and to the right, less than the stride. 0 to 63. Default: `0`. */
    output_padding?: number;
    /** Parts of the channels that do not meet. 1 to 4096. Default: `1`. */
    groups?: number;
    /** Whether a learned constant is added to every channel. Default: `true`. */
    bias?: boolean;
    /** How far the pixels that a kernel paints lie apart. 1 to 64. Default: `1`. */
    dilation?: number;
    /** How the weights are drawn at the start. Default: `"default"`. */
    init?: 
      | "default"
      | "xavier_uniform"
      | "xavier_normal"
      | "kaiming_uniform"
      | "kaiming_normal"
      | "normal"
      | "uniform"
      | "orthogonal"
      | "zeros"
      | /** PyTorch's own: evenly from ±1/√inputs, bias included. */
      { default: Record<string, never> }
      | /** Evenly, so that signals keep their size forwards and backwards (Glorot and Bengio, 2010); suits tanh. */
      { xavier_uniform: Record<string, never> }
      | /** The same from a normal distribution. */
      { xavier_normal: Record<string, never> }
      | /** Evenly, so that signals keep their size through relu (He et al., 2015). */
      { kaiming_uniform: Record<string, never> }
      | /** The same from a normal distribution. */
      { kaiming_normal: Record<string, never> }
      | /** From a normal distribution of a given width. */
      { normal: {
        /** Standard deviation. 0 to 100. Default: `0.02`. */
        std?: number;
      } }
      | /** Evenly from a given range around zero. */
      { uniform: {
        /** Largest magnitude. 0 to 100. Default: `0.1`. */
        bound?: number;
      } }
      | /** A rotation: signals keep their length exactly, however many layers (Saxe et al., 2014); suits recurrent weights. */
      { orthogonal: {
        /** Length of what was of length 1. 0 to 100. Default: `1.0`. */
        gain?: number;
      } }
      | /** All zero: see what goes wrong when all units are alike. */
      { zeros: Record<string, never> };
  } }
  | /** Keeps the largest of every few numbers of a line: what was found stays, where exactly is forgotten. */
  { max_pool1d: {
    /** Length of a window. 1 to 64. Default: `2`. */
    kernel_size?: number;
    /** How far a window moves from a place to the next; 0 for as far as it is long. 0 to 64. Default: `0`. */
    stride?: number;
    /** Border on each side, which is never the largest. 0 to 32. Default: `0`. */
    padding?: number;
  } }
  | /** Replaces every few numbers of a line by their mean. */
  { avg_pool1d: {
    /** Length of a window. 1 to 64. Default: `2`. */
    kernel_size?: number;
    /** How far a window moves from a place to the next; 0 for as far as it is long. 0 to 64. Default: `0`. */
    stride?: number;
    /** Border of zeros on each side. 0 to 32. Default: `0`. */
    padding?: number;
    /** Whether the zeros of the border count for the mean. Default: `true`. */
    count_include_pad?: boolean;
  } }
  | /** Means of every channel over a grid of windows, whatever the size of the image; with one window, over all of it (global average pooling). */
  { adaptive_avg_pool2d: {
    /** Height and width of what it gives. 1 to 64. Default: `1`. */
    output_size?: number;
  } }
  | /** Makes an image larger by repeating its pixels, or by filling in between them. */
  { upsample: {
    /** How many times higher and wider the image becomes. 2 to 16. Default: `2`. */
    scale_factor?: number;
    /** What stands between the pixels. Default: `"nearest"`. */
    mode?: "nearest" | "bilinear";
  } }
  | /** Lays channels side by side as pixels: of four channels a single one of twice the height and width. */
  { pixel_shuffle: {
    /** How many times higher and wider the image becomes. 2 to 16. Default: `2`. */
    upscale_factor?: number;
  } }
  | /** While training, sets whole channels of an image to zero and scales the rest up: neighbours of a pixel could tell what it was. */
  { dropout2d: {
    /** Share of the channels that is set to zero. 0 to 0.95. Default: `0.5`. */
    p?: number;
  } }
  | /** Swaps the two dimensions of a sample: steps of vectors become channels of numbers, and the other way round. */
  { transpose: Record<string, never> }
  | /** Cuts an image into square patches and learns a vector for each: a sequence, row by row. */
  { patch_embedding: {
    /** Height and width of a patch, which divide those of the image. 1 to 64. Default: `4`. */
    patch_size?: number;
    /** Numbers of a vector. 1 to 4096. Default: `32`. */
    dim?: number;
    /** How the weights are drawn at the start. Default: `"default"`. */
    init?: 
      | "default"
      | "xavier_uniform"
      | "xavier_normal"
      | "kaiming_uniform"
      | "kaiming_normal"
      | "normal"
      | "uniform"
      | "orthogonal"
      | "zeros"
      | /** PyTorch's own: evenly from ±1/√inputs, bias included. */
      { default: Record<string, never> }
      | /** Evenly, so that signals keep their size forwards and backwards (Glorot and Bengio, 2010); suits tanh. */
      { xavier_uniform: Record<string, never> }
      | /** The same from a normal distribution. */
      { xavier_normal: Record<string, never> }
      | /** Evenly, so that signals keep their size through relu (He et al., 2015). */
      { kaiming_uniform: Record<string, never> }
      | /** The same from a normal distribution. */
      { kaiming_normal: Record<string, never> }
      | /** From a normal distribution of a given width. */
      { normal: {
        /** Standard deviation. 0 to 100. Default: `0.02`. */
        std?: number;
      } }
      | /** Evenly from a given range around zero. */
      { uniform: {
        /** Largest magnitude. 0 to 100. Default: `0.1`. */
        bound?: number;
      } }
      | /** A rotation: signals keep their length exactly, however many layers (Saxe et al., 2014); suits recurrent weights. */
      { orthogonal: {
        /** Length of what was of length 1. 0 to 100. Default: `1.0`. */
        gain?: number;
      } }
      | /** All zero: see what goes wrong when all units are alike. */
      { zeros: Record<string, never> };
  } }
  | /** Puts a learned vector before a sequence; behind the blocks, `select` takes it out again. */
  { class_token: Record<string, never> }
  | /** Takes one vector of a sequence and leaves the others. */
  { select: {
    /** Which; 0 is the first. 0 to 65535. Default: `0`. */
    index?: number;
  } }
  | /** The scalar product of every vector of a sequence with one that was named elsewhere: a number for each. */
  { dot: {
    /** Name of the one vector: one that a `name` layer before this gave. Default: `""`. */
    from?: string;
  } }
  | /** A block of a decoder: vectors look at those before them, then at another sequence, then each is changed by itself. */
  { transformer_decoder_block: {
    /** Name of the sequence that is looked at: one that a `name` layer before this gave. Default: `""`. */
    from?: string;
    /** Number of heads of either attention; the numbers of a vector are divided among them. 1 to 64. Default: `4`. */
    num_heads?: number;
    /** Heads of keys and values, where several heads share them; as many as heads where nothing is said. 1 to 64. */
    kv_heads?: number | null;
    /** How far a vector looks back in its own sequence, itself counted; everything where nothing is said. 1 to 65536. */
    window?: number | null;
    /** Whether queries and keys of its own sequence are turned by their position, so that what counts is the distance. Default: `false`. */
    rotary?: boolean;
    /** Whether far vectors of its own sequence count less, each head by its own slope. Default: `false`. */
    alibi?: boolean;
    /** Whether every query and every key of either attention is given mean square 1, and then learned factors, before they meet: scores stay in bounds. Default: `false`. */
    qk_norm?: boolean;
    /** Units of the feed-forward network; four times the numbers of a vector where nothing is said. 1 to 16384. */
    dim_feedforward?: number | null;
    /** The function inside the feed-forward network. Default: `"gelu"`. */
    activation?: "gelu" | "gelu_tanh" | "relu" | "swiglu";
    /** Which norm. Default: `"layer_norm"`. */
    norm?: "layer_norm" | "rms_norm";
    /** Whether norms come before attentions and feed-forward network, or behind what these add. Default: `true`. */
    norm_first?: boolean;
    /** Share of what attentions and feed-forward network add that is dropped while training. 0 to 0.95. Default: `0.0`. */
    dropout?: number;
  } };

/** What to learn, from what, and how. */
export type ExperimentDocument = {
  /** Version of this form. Default: `1`. */
  version?: number | string;
  /** What you call it. Default: `""`. */
  name?: string;
  /** Where all random numbers come from: the same seed gives the same run. 0 to 4294967295. Default: `0`. */
  seed?: number;
  /** What to learn from. */
  data: Data;
  /** Changes of the pictures that are learned from, drawn anew in every step. */
  augment?: Augment;
  /** What learns: layers from input to output. */
  model: Array<Layer>;
  /** What training makes small. Default: `"cross_entropy"`. */
  loss?: Loss;
  /** How gradients become changes of weights. Default: `"adam"`. */
  optimizer?: Optimizer;
  /** How the learning rate changes over time. Default: `"constant"`. */
  schedule?: Schedule;
  /** How training runs. */
  training?: Training;
  /** What the page shows; the engine ignores it. */
  view?: View;
};

/** How a run is doing. */
export type Readings = {
  /** Steps taken. */
  step: number;
  /** Samples seen, in epochs. */
  epoch: number;
  /** Loss of the last recorded step; NaN before the first. */
  loss: number;
  /** Steps per second over the last second. */
  stepsPerSecond: number;
  /** Whether it trains. */
  running: boolean;
  /** Number of the run: counts up whenever one begins at step 0. */
  run: number;
  /** Learning rate of the last step. */
  lr: number;
};

/** Name of a preset. */
export type Preset =
  | "spirals"
  | "circles"
  | "xor"
  | "gaussians"
  | "moons"
  | "checkerboard"
  | "sine"
  | "steps"
  | "digits"
  | "drawn_digits"
  | "shapes"
  | "wrong_labels"
  | "batch_norm"
  | "lenet"
  | "resnet"
  | "depthwise"
  | "mixer"
  | "vit"
  | "autoencoder"
  | "unet"
  | "own_images"
  | "iris"
  | "wine"
  | "breast_cancer"
  | "too_fast"
  | "overfitting"
  | "regularised"
  | "majority"
  | "parity"
  | "adding"
  | "adding_rnn"
  | "exploding_rnn"
  | "temporal_order"
  | "pen_strokes"
  | "chirps"
  | "chirps_transformer"
  | "memory"
  | "brackets"
  | "sine_forecast"
  | "lorenz"
  | "own_series"
  | "pairs"
  | "sort"
  | "encoder_decoder"
  | "captions"
  | "addition"
  | "grokking"
  | "induction"
  | "recall"
  | "short_sight"
  | "tinytales"
  | "eight_back"
  | "char_rnn"
  | "read_on"
  | "own_text"
  | "masked_words"
  | "word_vectors"
  | "two_towers"
  | "symmetry";
