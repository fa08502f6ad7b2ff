//! The part of the code of page and worker that the first visit does without: the GPU's backend, what measures and compares, what reads
//! tables and files, what leaves the page, the views that are not shown at the start, and all that points of the plane need none of
//! (`downhill_tensor::apart`). `web/parts.mjs` cuts it out of the wasm by the names of its functions, so whoever calls one of them waits for
//! [`arrived`] first.

use std::hint::black_box;
use std::pin::Pin;

use downhill_tensor::UserError;

/// Runs a function of the part, once it is there.
///
/// # Errors
/// The function's own, and where the part cannot be loaded.
pub async fn run<T, F: Future<Output = Result<T, UserError>>>(begin: impl FnOnce() -> F) -> Result<T, UserError> {
    arrived().await?;
    begun(begin).await
}

/// Where the later part begins: what `begin` calls, and what runs its future, is reached from here alone.
#[inline(never)]
fn begun<'a, T, F: Future<Output = T> + 'a>(begin: impl FnOnce() -> F) -> Pin<Box<dyn Future<Output = T> + 'a>> {
    // Hidden from the compiler, or it could tell the caller where the future is run.
    black_box(Box::pin(begin()))
}

/// Fetches the part, once. Where the code is in one piece, as it is natively and in builds for development, it is there at once.
///
/// # Errors
/// When it cannot be loaded.
#[cfg_attr(not(target_arch = "wasm32"), expect(clippy::unused_async, reason = "a browser fetches it"))]
pub async fn arrived() -> Result<(), UserError> {
    #[cfg(target_arch = "wasm32")]
    if let Err(error) = browser::fetched().await {
        let why = js_sys::Reflect::get(&error, &"message".into()).ok().and_then(|text| text.as_string()).unwrap_or_default();
        // Browsers end some of their sentences, and some not.
        return Err(UserError::new(format!("A part of Downhill could not be loaded: {}.", why.trim_end_matches('.')))
            .hint("Look whether the network is there, then try again."));
    }
    Ok(())
}

/// Whether the browser offers a GPU, asked before the code for it is fetched. Where nobody can ask, as natively, the backend finds out.
#[cfg_attr(not(target_arch = "wasm32"), expect(clippy::unused_async, reason = "a browser is asked"))]
pub async fn may_have_gpu() -> bool {
    #[cfg(target_arch = "wasm32")]
    return browser::has_adapter().await;
    #[cfg(not(target_arch = "wasm32"))]
    true
}

#[cfg(target_arch = "wasm32")]
mod browser {
    //! The loader that `index.html` and `static/worker.js` leave in the scope, and `navigator.gpu`.

    use js_sys::{Function, Promise, Reflect};
    use wasm_bindgen::{JsCast, JsValue};
    use wasm_bindgen_futures::JsFuture;

    pub async fn fetched() -> Result<(), JsValue> {
        let scope = js_sys::global();
        let Ok(fetch) = Reflect::get(&scope, &"downhillLater".into())?.dyn_into::<Function>() else { return Ok(()) };
        awaited(fetch.call0(&scope)?).await.map(drop)
    }

    pub async fn has_adapter() -> bool {
        let adapter = async {
            let gpu = Reflect::get(&Reflect::get(&js_sys::global(), &"navigator".into())?, &"gpu".into())?;
            let request = Reflect::get(&gpu, &"requestAdapter".into())?.dyn_into::<Function>()?;
            awaited(request.call0(&gpu)?).await
        };
        adapter.await.is_ok_and(|adapter| adapter.is_object())
    }

    async fn awaited(promise: JsValue) -> Result<JsValue, JsValue> {
        JsFuture::from(promise.dyn_into::<Promise>()?).await
    }
}
